"""What evaluating costs: ratios, each of two things measured in one run.

Run it with ``python benchmarks/trust.py`` on a machine that does nothing else. It takes the
published predictions of Heredia (2017) from the shared data: ``../shared``, or the folder that
PLANT_SHARED names.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.figures import Figure, show
from benchmarks.timing import in_turn
from plant_classification.evaluation.prediction_files import read_predictions
from plant_classification.evaluation.summary import summary
from recipes.shared_data import shared

ROUNDS = 9
PEAK = 'print(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])'
LOAD = "import json, sys; kept = [json.load(open(name)) for name in sys.argv[1:]]\n"
IMPORT = """import sys
from pathlib import Path
from plant_classification.evaluation.prediction_files import read_predictions
from plant_classification.evaluation.summary import summary
"""
EVALUATE = IMPORT + "summary(read_predictions(*map(Path, sys.argv[1:])))\n"


def peak_memory(code: str, *files: Path) -> int:
    """Bytes that a Python has at most which runs some code."""
    command = [sys.executable, "-c", code + PEAK, *map(str, files)]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) * 1024


def of_published_predictions() -> list[Figure]:
    """All figures with their intervals, over ``json.load`` of the same files."""
    folder = shared("heredia2017")
    predictions, families = (
        folder / name for name in ("predictions_plantnet_tool_portugal.json", "families.json")
    )
    species = folder / "classes.txt"

    def load() -> list[Any]:
        return [json.loads(file.read_text("utf-8")) for file in (predictions, families)]

    def evaluate() -> dict[str, Any]:
        return summary(read_predictions(predictions, species, families))

    loaded, evaluated = in_turn(ROUNDS, load, evaluate)
    least = peak_memory(LOAD, predictions, families) - peak_memory("import json\n")
    most = peak_memory(EVALUATE, predictions, species, families) - peak_memory(IMPORT)
    name = "11,012 published predictions: figures and intervals / json.load"
    return [
        Figure(
            f"{name}, time",
            evaluated / loaded,
            "<= 15",
            f"{1e3 * evaluated:.0f} / {1e3 * loaded:.0f} ms",
        ),
        Figure(
            f"{name}, memory", most / least, "<= 4", f"{most / 2**20:.0f} / {least / 2**20:.0f} MiB"
        ),
    ]


def main() -> None:
    """Measure and print."""
    show(of_published_predictions())


if __name__ == "__main__":
    main()
