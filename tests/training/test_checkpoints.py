"""Checkpoints: whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tiny_training
from tiny_training import STEPS

from plant_classification.errors import ArgumentError, DivergedError, TrainingError
from plant_classification.training import checkpoints
from plant_classification.training.checkpoints import BEST, STATE, VARIABLES, State
from plant_classification.training.progress import EpochFigures, Progress

# TensorFlow's variables lack what NumPy 2 asks of them; Keras saves weights through it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

EPOCH = EpochFigures(1, 2.5, 0.25, 0.5, 0.01, 100.0, val_loss=2.0, val_top_1=0.5)
FINGERPRINT = {"data": "abc", "seed": 1, "mean": (1.0, 2.0)}


def variables(value: float) -> dict[str, list[Any]]:
    return {"network": [tf.Variable([value, value + 1]), tf.Variable(int(value))], "none": []}


def write(work: Path, step: int, value: float, best: Any = ()) -> Path:
    return checkpoints.write(work, State(step, (EPOCH,), FINGERPRINT), variables(value), best)


def read(work: Path) -> tuple[int, float]:
    """The step of what is read, and its value."""
    found = variables(-1.0)
    result = checkpoints.read(work, FINGERPRINT, found)
    assert result is not None
    assert result[1].epochs == (EPOCH,)
    (pair, number), none = found["network"], found["none"]
    assert pair.numpy().tolist() == [number.numpy(), number.numpy() + 1]
    assert not none
    return result[1].step, float(number.numpy())


def test_the_newest_is_read_and_the_last_two_stay(tmp_path: Path) -> None:
    assert checkpoints.read(tmp_path, FINGERPRINT, variables(0.0)) is None
    for step in (9, 10, 11):
        write(tmp_path, step, step)
    assert read(tmp_path) == (11, 11.0)
    assert [state.step for state in checkpoints.find(tmp_path).values()] == [11, 10]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", [STATE, VARIABLES, BEST])
@pytest.mark.parametrize("how", ["cut", "changed", "missing"])
def test_a_torn_one_is_survived_by_the_one_before(tmp_path: Path, name: str, how: str) -> None:
    written = write(tmp_path, 1, 1.0)
    path = write(tmp_path, 2, 2.0, [tf.Variable([2.0] * 100)]) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(content if how == "changed" else content[: len(content) // 2])
    assert read(tmp_path) == (1, 1.0)
    checkpoints.prune(tmp_path, written)
    write(tmp_path, 2, 2.0)
    assert read(tmp_path) == (2, 2.0)


def test_when_none_can_be_read_that_is_said(tmp_path: Path) -> None:
    (write(tmp_path, 1, 1.0) / VARIABLES).write_bytes(b"")
    with pytest.raises(
        TrainingError, match=r"No checkpoint in .* can be read \(checkpoint-0+1-00001: "
    ):
        checkpoints.read(tmp_path, FINGERPRINT, variables(0.0))


def test_one_of_another_network_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, 1, 1.0)
    with pytest.raises(TrainingError, match="can be read"):
        checkpoints.read(tmp_path, FINGERPRINT, {"network": [tf.Variable([1.0, 2.0, 3.0])]})


def test_what_is_half_written_is_not_there(tmp_path: Path) -> None:
    written = write(tmp_path, 1, 1.0)
    half = write(tmp_path, 2, 2.0)
    half.rename(f"{half}.partial")
    assert read(tmp_path) == (1, 1.0)
    checkpoints.prune(tmp_path, written)
    assert len(list(tmp_path.iterdir())) == 1


def test_another_training_is_refused_with_every_difference_named(tmp_path: Path) -> None:
    write(tmp_path, 1, 1.0)
    other = {"data": "abd", "mean": [1.0, 2.0], "epochs": 3}
    with pytest.raises(ArgumentError) as caught:
        checkpoints.read(tmp_path, other, variables(0.0))
    expected = "data was 'abc' and is 'abd'; epochs was None and is 3; seed was 1 and is None."
    assert expected in caught.value.message
    assert caught.value.field == "resume"


def test_weights_that_are_no_numbers_are_not_written(tmp_path: Path) -> None:
    write(tmp_path, 1, 1.0)
    with pytest.raises(DivergedError, match="no numbers"):
        checkpoints.write(tmp_path, State(2, (), {}), {"network": [tf.Variable(np.nan)]}, None)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_best_weights_are_taken_over_until_there_are_better_ones(tmp_path: Path) -> None:
    first = write(tmp_path, 1, 1.0, [tf.Variable([1.0])])
    second = write(tmp_path, 2, 2.0, first)
    third = write(tmp_path, 3, 3.0, second)
    assert not first.exists()
    found = tf.Variable([0.0])
    checkpoints.load_best(third, [found])
    assert found.numpy().tolist() == [1.0]
    checkpoints.load_best(write(tmp_path, 4, 4.0, [tf.Variable([4.0])]), [found])
    assert found.numpy().tolist() == [4.0]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of one mebibyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = (shutil.which(name) for name in ("mount", "umount"))
    if mount is None or umount is None or os.geteuid():
        pytest.skip("only root can mount a small disk")
    command = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run([umount, str(folder)], check=True)


def fill(folder: Path, room: int) -> None:
    """Leave no more than some bytes."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(512)):
                pass
        file.truncate(file.tell() - room)


@pytest.mark.parametrize("room", [0, 8192])
def test_a_full_disk_is_a_sentence_and_the_checkpoint_before_goes_on(
    small_disk: Path, tmp_path: Path, room: int
) -> None:
    unbroken = tiny_training.train(tmp_path / "unbroken", epochs=3)
    work = small_disk / "work"

    def observe(progress: Progress) -> None:
        if len(progress.finished) == 1:
            fill(small_disk, room)

    with pytest.raises(TrainingError) as caught:
        tiny_training.train(work, observe, epochs=3)
    assert caught.value.message == (
        f"The checkpoint of step {2 * STEPS} cannot be written to {work}: No space left on device. "
        "Mend that, then go on from the checkpoint before."
    )
    assert [path.name for path in work.iterdir()] == [f"checkpoint-{STEPS:09d}-00001"]
    (small_disk / "ballast").unlink()
    resumed = tiny_training.train(work, epochs=3)
    for one, other in zip(resumed.epochs, unbroken.epochs, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-5)


@pytest.mark.parametrize("room", [0, 4096, 16384])
def test_a_full_disk_at_the_very_end_is_a_sentence_too(small_disk: Path, room: int) -> None:
    work = small_disk / "work"

    def observe(progress: Progress) -> None:
        if len(progress.finished) == 2:
            fill(small_disk, room)

    with pytest.raises(TrainingError, match=r"weights cannot be written .*then go on"):
        tiny_training.train(work, observe, epochs=2)
    assert not list(work.glob("*.h5"))
    (small_disk / "ballast").unlink()
    assert tiny_training.train(work, epochs=2).weights.is_file()
