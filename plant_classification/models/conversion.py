"""From a checkpoint of the old service to a model folder that can be served: once, in a process.

The network is rebuilt in Keras and written for OpenVINO, with float32 weights: float16 would move
probabilities by 1e-3. TensorFlow lives in that process alone, so that a server never loads it and a
file that brings it down does no harm to the server. The conversion is kept in the old folder, under
a name that changes with everything that it was made from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import importlib.util
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from plant_classification.errors import (
    ModelFolderError,
    ModelNotReadyError,
    PlantClassificationError,
)
from plant_classification.models.files import remembered_sha256
from plant_classification.models.folder import (
    NETWORK,
    NETWORK_WEIGHTS,
    ModelFolder,
    read_model_folder,
    write_model_folder,
)
from plant_classification.models.legacy import LegacyFolder, read_legacy_folder
from plant_classification.settings import Settings
from plant_classification.taxonomy import remarks

LOG = logging.getLogger(__name__)

Model: TypeAlias = ModelFolder | LegacyFolder

CONVERSIONS = ".converted"
CONVERSION = 1
"""Raised when a conversion would come out otherwise, so that older ones are made anew."""
MOST_SECONDS = 3600
NEEDS_TENSORFLOW = (
    "is of the old service and must be converted before its first use, which needs TensorFlow: "
    "in the checkout of plant-classification, pip install '.[train]'."
)

_under_way: dict[Path, subprocess.Popen[str]] = {}


def ready(model: Model, settings: Settings, seconds: float | None = None) -> ModelFolder:
    """The model in the form that is served, converted first where it is of the old service.

    Args:
        model: Any model.
        settings: For ``families``.
        seconds: How long to wait for a conversion; without end where not given.

    Raises:
        ModelNotReadyError: The conversion takes longer and goes on, or TensorFlow is not installed.
        ModelFolderError: The folder cannot be converted.
    """
    if isinstance(model, ModelFolder):
        return model
    target = model.path / CONVERSIONS / f"{model.checkpoint}-{_digest(model, settings.families)}"
    try:
        folder = read_model_folder(target)
    except ModelFolderError:  # not there, or half of it lost
        shutil.rmtree(target, ignore_errors=True)
        convert(model, target, settings, seconds)
        folder = read_model_folder(target)
        for remark in remarks(folder.labels()):
            LOG.warning("%s: %s", model.path, remark)
        _remove_older(target, model.checkpoint)
    return dataclasses.replace(folder, name=model.name, version=model.version)


def _digest(model: LegacyFolder, families: Path | None) -> str:
    """What a conversion is made from, in 16 hexadecimal digits."""
    table = remembered_sha256(families) if families and families.exists() else ""
    parts = f"{CONVERSION} {model.version} {model.checkpoint} {table}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def convert(
    model: LegacyFolder, target: Path, settings: Settings, seconds: float | None = None
) -> None:
    """Write a checkpoint as a model folder, unless it is there.

    Args:
        model: The old folder, at the checkpoint that is meant.
        target: The model folder to write.
        settings: For ``families``.
        seconds: How long to wait; without end where not given.

    Raises:
        ModelNotReadyError: It takes longer and goes on (the next call waits for the same one), or
            TensorFlow is not installed.
        ModelFolderError: The folder cannot be converted.
    """
    process = _under_way.pop(target, None) or _start(model, target, settings)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _under_way[target] = process
        raise ModelNotReadyError(
            f"Model {model.name!r} is being converted for its first use, which takes a minute or "
            "two; send the photo again then."
        ) from None
    except BaseException:
        _end(process)
        raise
    if process.returncode:
        died = f"{model.weights} could not be converted: the process ended with the status "
        raise ModelFolderError(output.strip() or f"{died}{process.returncode}.")


def can_convert() -> bool:
    """Whether the extra ``train`` is installed."""
    return all(importlib.util.find_spec(module) for module in ("tensorflow", "h5py"))


def is_usable(model: Model) -> bool:
    """Whether a model can be served, now or after a conversion that is possible here."""
    is_new = isinstance(model, ModelFolder)
    return is_new or (model.path / CONVERSIONS).is_dir() or can_convert()


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()  # so that it takes away what it has half written
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    process.kill()
    process.wait()


def _start(model: LegacyFolder, target: Path, settings: Settings) -> subprocess.Popen[str]:
    if not can_convert():
        raise ModelNotReadyError(f"{model.name!r} {NEEDS_TENSORFLOW}")
    LOG.warning("%s is of the old service; it is converted now, once.", model.path)
    command = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        "from plant_classification.models import conversion; conversion.main()"
    )
    job = {
        "path": str(model.path),
        "checkpoint": model.checkpoint,
        "target": str(target),
        "families": str(settings.families or ""),
    }
    return subprocess.Popen(
        [sys.executable, "-c", command, json.dumps(job)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        start_new_session=True,  # it outlives a request that does not wait for it
    )


def main() -> None:
    """Convert what the argument says; where that fails, say why on standard output."""
    signal.alarm(MOST_SECONDS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    job = json.loads(sys.argv[1])
    try:
        with _locked(Path(job["target"]).parent):
            _convert(
                read_legacy_folder(Path(job["path"])).at(job["checkpoint"]),
                Path(job["target"]),
                Path(job["families"]) if job["families"] else None,
            )
    except PlantClassificationError as error:
        sys.exit(_said(error.message))
    except OSError as error:
        sys.exit(
            _said(
                f"{error.filename or job['target']} cannot be written: {error.strerror}; convert "
                f"into another folder: plant-classification models import {job['path']}"
            )
        )
    except MemoryError:
        sys.exit(_said(f"{job['path']} could not be converted: there is not enough memory."))
    except Exception as error:  # noqa: BLE001 - told to the one who waits
        sys.exit(_said(f"{job['path']} could not be converted: {error!r}"))


def _said(sentence: str) -> int:
    print(sentence)
    return 1


def _convert(model: LegacyFolder, target: Path, families: Path | None) -> None:
    if target.exists():
        return  # by another process, while this one waited
    from plant_classification.networks.export import convert as to_openvino
    from plant_classification.networks.export import save_network
    from plant_classification.networks.keras2_checkpoint import rebuild

    network = rebuild(model.modelname, model.preprocessing.size, model.label_count, model.weights)
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / NETWORK
        save_network(to_openvino(network), xml, half=False)
        write_model_folder(
            target,
            architecture=model.architecture,
            preprocessing=model.preprocessing,
            labels=model.labels(families),
            temperature=1.0,
            training={"imported_from": "imgclas", "checkpoint": model.checkpoint, **model.training},
            metrics=model.metrics,
            files={NETWORK: xml, NETWORK_WEIGHTS: xml.with_name(NETWORK_WEIGHTS)},
            created=model.created,
        )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One conversion at a time in a folder; the lock goes with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_older(target: Path, checkpoint: str) -> None:
    for other in target.parent.glob(f"{checkpoint}-*"):
        if other != target:
            shutil.rmtree(other, ignore_errors=True)
