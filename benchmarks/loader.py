"""How fast split files are read and checked: ratios, each of two things measured in one run.

The files have the form of those that Heredia (2017) trained with: 40 hexadecimal digits a photo, a
blank, and one of 6,182 labels. ``numpy.genfromtxt`` reads the shorter ones alone: its cost grows
with the lines.

Run it with ``python benchmarks/loader.py`` on a machine that does nothing else. It takes the names
from the shared data: ``../shared``, or the folder that PLANT_SHARED names.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.figures import Figure, show
from benchmarks.memory import peak_memory_of
from benchmarks.timing import in_turn
from plant_classification.data.reading import read_dataset
from plant_classification.data.split_files import read_splits
from recipes.shared_data import shared

LINES = (250_000, 2_500_000)
VALIDATION_SHARE = 0.1
READ = """
import sys
from pathlib import Path
from plant_classification.data.reading import read_dataset
for folder in sys.argv[1:]:
    read_dataset(Path(folder), images=".")
"""


def write_split_files(folder: Path, lines: int) -> int:
    """Write a data set of so many photos, none of which is there; gives the number of labels."""
    folder.mkdir()
    names = shared("heredia2017/classes.txt")
    shutil.copy(names, folder / "classes.txt")
    labels = len(names.read_text("utf-8").splitlines())
    random = np.random.default_rng(lines)
    held = int(VALIDATION_SHARE * lines)
    for name, count in (("train", lines - held), ("val", held)):
        with (folder / f"{name}.txt").open("w") as file:
            for label in random.integers(0, labels, count):
                file.write(f"{random.bytes(20).hex()}.jpg {label}\n")
    return labels


def with_genfromtxt(folder: Path) -> None:
    """The same columns by numpy, without a check: paths as text, labels as whole numbers."""
    for name in ("train", "val"):
        np.genfromtxt(folder / f"{name}.txt", dtype=None, delimiter=" ", encoding="utf-8")


def as_the_old_service(folder: Path) -> None:
    """Its way: all as text, and then the numbers."""
    for name in ("train", "val"):
        split = np.genfromtxt(folder / f"{name}.txt", dtype="str", delimiter=" ")
        split[:, 1].astype(np.int32)


def measure(folder: Path) -> list[Figure]:
    """Write the files, and read them in every way."""
    few, many = (folder / str(lines) for lines in LINES)
    labels = write_split_files(few, LINES[0])
    write_split_files(many, LINES[1])
    numpy, old, lines_few, lines_many, whole_few, whole_many = in_turn(
        5,
        partial(with_genfromtxt, few),
        partial(as_the_old_service, few),
        partial(read_splits, few, labels),
        partial(read_splits, many, labels),
        partial(read_dataset, few, images="."),
        partial(read_dataset, many, images="."),
    )
    size = sum((many / f"{name}.txt").stat().st_size for name in ("train", "val"))
    memory = peak_memory_of(READ, many) - peak_memory_of(READ)
    return [
        against(numpy, lines_few, LINES[0], "genfromtxt / split files", ">= 30"),
        against(numpy, lines_many, LINES[1], "genfromtxt / split files", ">= 30"),
        against(old, lines_few, LINES[0], "old service / split files", ""),
        against(old, lines_many, LINES[1], "old service / split files", ""),
        against(numpy, whole_few, LINES[0], f"genfromtxt / the same and {labels:,} names", ""),
        against(numpy, whole_many, LINES[1], f"genfromtxt / the same and {labels:,} names", ""),
        Figure(
            f"cost of a line, {LINES[1]:,} lines / {LINES[0]:,}",
            lines_many / lines_few * LINES[0] / LINES[1],
            "<= 1.5",
            f"{lines_many / LINES[1] * 1e9:.0f} ns / {lines_few / LINES[0] * 1e9:.0f} ns",
        ),
        Figure(
            f"peak memory / size of the files, {LINES[1]:,} lines",
            memory / size,
            "<= 3",
            f"{memory / 2**20:.0f} MiB / {size / 2**20:.0f} MiB",
        ),
    ]


def against(theirs: float, ours: float, lines: int, name: str, bound: str) -> Figure:
    """Their seconds, always those of the shorter files, over ours of so many lines."""
    times = lines / LINES[0]
    remark = f"{times:g} x {theirs * 1e3:.0f} ms / {ours * 1e3:.0f} ms"
    return Figure(f"{name}, {lines:,} lines", times * theirs / ours, bound, remark)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        figures = measure(Path(name))
    show(figures)


if __name__ == "__main__":
    main()
