"""What a training needs to go on: folders that are there whole or not at all, the last two kept.

``checkpoint-<step>-<epochs>/`` holds ``state.json`` (the step, the epochs that are judged, the
fingerprint of the training, the photos that could not be read), ``variables.npz`` (all that
changes) and ``best.npz`` (the network's weights after the best epoch). Arrays are written one by
one, so that no more memory is needed than for the largest; the checksums of zip tell what was torn.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plant_classification.errors import ArgumentError, DivergedError, TrainingError
from plant_classification.files import PARTIAL, fsync, new_folder, remove
from plant_classification.training.progress import EpochFigures

FORMAT = 1
PREFIX = "checkpoint-"
STATE, VARIABLES, BEST = "state.json", "variables.npz", "best.npz"
KEPT = 2
ROOM_PER_WEIGHT = 8192
"""Bytes that the names around a weight take in HDF5, at most."""
TORN = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)

Variables = Mapping[str, Sequence[Any]]
"""Variables of TensorFlow or Keras by kind, in an order that is always the same."""


@dataclasses.dataclass(frozen=True)
class State:
    """How far a training has come.

    Attributes:
        step: Steps that are done.
        epochs: The epochs that are done and judged.
        fingerprint: What makes this training another one than others, as JSON takes it.
        unreadable: Path and sentence of each photo that could not be read.
    """

    step: int
    epochs: tuple[EpochFigures, ...]
    fingerprint: Mapping[str, Any]
    unreadable: tuple[tuple[str, str], ...] = ()


def find(work: Path) -> dict[Path, State]:
    """The checkpoints in a folder, the newest first, without those whose state cannot be read."""
    found = {}
    for folder in sorted(work.glob(f"{PREFIX}*"), reverse=True):
        if folder.suffix != PARTIAL:
            with contextlib.suppress(*TORN):
                found[folder] = _read_state(folder)
    return found


def read(
    work: Path, fingerprint: Mapping[str, Any], variables: Variables
) -> tuple[Path, State] | None:
    """Give the variables what they had at the newest checkpoint that is whole.

    Args:
        work: The folder of the training.
        fingerprint: Of this training.
        variables: All that changes.

    Returns:
        The checkpoint, or None where there is none.

    Raises:
        ArgumentError: It is of another training; the message names every difference.
        TrainingError: There are some, and none can be read.
    """
    faults = []
    for folder, state in find(work).items():
        _check_fingerprint(folder, state.fingerprint, json.loads(json.dumps(fingerprint)))
        try:
            if state.epochs:
                _check(folder / BEST)
            _load(folder / VARIABLES, variables)
        except TORN as fault:
            faults.append(f"{folder.name}: {fault}")
        else:
            return folder, state
    unknown = [folder.name for folder in work.glob(f"{PREFIX}*") if folder.suffix != PARTIAL]
    if not faults and unknown:
        faults = [f"{name}: its {STATE} cannot be read" for name in sorted(unknown)]
    if faults:
        raise TrainingError(
            f"No checkpoint in {work} can be read ({'; '.join(faults)}); start the training anew."
        )
    return None


def write(
    work: Path, state: State, variables: Variables, best: Sequence[Any] | Path | None
) -> Path:
    """Write a checkpoint, whole and durable; of the others the last stays.

    One that is there already is left as it is.

    Args:
        work: The folder of the training.
        state: How far it has come.
        variables: All that changes.
        best: The network's weights, if its last epoch is the best so far; else the checkpoint that
            holds those of the best one; None where there is no epoch yet.

    Returns:
        Its folder.

    Raises:
        TrainingError: It cannot be written, or a weight is no number; what was there stays.
    """
    target = work / f"{PREFIX}{state.step:09d}-{len(state.epochs):05d}"
    if target.exists():
        return target  # told to stop again before an epoch was judged
    try:
        with new_folder(target) as folder:
            _save(folder / VARIABLES, variables)
            if isinstance(best, Path):
                _link(best / BEST, folder / BEST)
            elif best is not None:
                _save(folder / BEST, {"network": best})
            content = {"format": FORMAT, **dataclasses.asdict(state)}
            (folder / STATE).write_text(json.dumps(content, indent=1), "utf-8")
        prune(work, target)
    except OSError as fault:
        raise TrainingError(
            f"The checkpoint of step {state.step} cannot be written to {work}: {fault.strerror}. "
            "Mend that, then go on from the checkpoint before."
        ) from fault
    return target


def prune(work: Path, newest: Path | None) -> None:
    """Remove all checkpoints but one and that before it, and what was left half written."""
    folders = sorted(work.glob(f"{PREFIX}*"))
    done = [folder for folder in folders if newest and folder <= newest]
    kept = [folder for folder in done if folder.suffix != PARTIAL][-KEPT:]
    for folder in folders:
        if folder not in kept:
            remove(folder)


def load_best(folder: Path, weights: Sequence[Any]) -> None:
    """Give a network the weights of the best epoch.

    Args:
        folder: A checkpoint.
        weights: The network's.
    """
    _load(folder / BEST, {"network": weights})


def write_weights(path: Path, network: Any) -> None:
    """Write a network's weights for Keras, whole or not at all.

    Args:
        path: ``....weights.h5``.
        network: The ``keras.Model``.

    Raises:
        TrainingError: It cannot be written.
    """
    partial = path.with_name(f"new-{path.name}")  # Keras wants the ending
    size = sum(ROOM_PER_WEIGHT + 4 * math.prod(weight.shape) for weight in network.weights)
    try:
        with partial.open("wb") as file:  # h5py crashes where a disk is full
            os.posix_fallocate(file.fileno(), 0, size)
        network.save_weights(partial)
        fsync(partial)
        partial.rename(path)
        fsync(path.parent)
    except OSError as fault:
        partial.unlink(missing_ok=True)
        raise TrainingError(
            f"The weights cannot be written to {path.parent}: {fault.strerror or fault}. "
            "Mend that, then go on."
        ) from fault


def _read_state(folder: Path) -> State:
    content = json.loads((folder / STATE).read_text("utf-8"))
    if content["format"] != FORMAT:
        raise ValueError(f"{STATE} is of format {content['format']}, not {FORMAT}")
    epochs = tuple(EpochFigures(**figures) for figures in content["epochs"])
    unreadable = tuple((path, why) for path, why in content.get("unreadable", ()))
    return State(content["step"], epochs, content["fingerprint"], unreadable)


def _check_fingerprint(folder: Path, saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    differences = [
        f"{name} was {saved.get(name)!r} and is {wanted.get(name)!r}"
        for name in sorted({*saved, *wanted})
        if saved.get(name) != wanted.get(name)
    ]
    if differences:
        raise ArgumentError(
            f"The training in {folder.parent} is another one: {'; '.join(differences)}. Give what "
            "it was started with to go on, or another name to start a new one.",
            field="resume",
        )


def _named(variables: Variables) -> Iterator[tuple[str, Any]]:
    for kind, several in variables.items():
        for number, variable in enumerate(several):
            yield f"{kind}/{number:04d}.npy", variable


def _save(path: Path, variables: Variables) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, variable in _named(variables):
            array = np.asanyarray(variable.numpy())
            if not np.isfinite(array).all():
                raise DivergedError(
                    "Weights of the network are no numbers any more; start the training anew with "
                    "a smaller initial_lr, a warmup, or clip_norm."
                )
            with archive.open(name, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _load(path: Path, variables: Variables) -> None:
    with zipfile.ZipFile(path) as archive:
        for name, variable in _named(variables):
            with archive.open(name) as file:
                variable.assign(np.lib.format.read_array(file, allow_pickle=False))


def _check(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if torn := archive.testzip():
            raise zipfile.BadZipFile(f"{torn} in {path.name} is torn")


def _link(source: Path, target: Path) -> None:
    """A second name for a file that never changes; a copy where there are no such names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
