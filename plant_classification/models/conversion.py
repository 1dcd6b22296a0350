"""From a checkpoint of the old service to a model folder that can be served: once, in a process.

The network is rebuilt in Keras and written for OpenVINO, with float32 weights: float16 would move
probabilities by 1e-3. TensorFlow lives in that process alone, so that a server never loads it and a
file that brings it down does no harm to the server. The conversion is kept in the old folder, under
a name that changes with everything that it was made from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from plant_classification.errors import (
    ModelFolderError,
    ModelNotReadyError,
    PlantClassificationError,
)
from plant_classification.files import locked, read_plain_file, remembered_sha256, remove
from plant_classification.models.folder import (
    NETWORK,
    NETWORK_WEIGHTS,
    ModelFolder,
    read_model_folder,
    write_model_folder,
)
from plant_classification.models.legacy import LegacyFolder, inside, read_legacy_folder
from plant_classification.openvino import save_network
from plant_classification.processes import end_with, python
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label, remarks

LOG = logging.getLogger(__name__)

Model: TypeAlias = ModelFolder | LegacyFolder

CONVERSIONS = ".converted"
CONVERSION = 1
"""Raised when a conversion would come out otherwise, so that older ones are made anew."""
MOST_SECONDS = 3600
MOST_FAILURE_BYTES = 10_000
NEEDS_TENSORFLOW = (
    "is of the old service and must be converted before its first use, which needs TensorFlow: "
    "pip install 'plant-classification[train]'."
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
    folder = inside(model.path, CONVERSIONS)
    target = folder / f"{model.checkpoint}-{_digest(model, settings.families)}"
    try:
        converted = read_model_folder(target)
    except ModelFolderError:  # not there, or half of it lost
        if fault := _known_fault(model):
            raise ModelFolderError(fault) from None
        convert(model, target, settings, seconds, is_kept=True)
        converted = read_model_folder(target)
        for remark in remarks(converted.labels()):
            LOG.warning("%s: %s", model.path, remark)
    return dataclasses.replace(converted, name=model.name, version=model.version)


def labels_of(model: Model, settings: Settings) -> tuple[Label, ...]:
    """The labels of a model; those of the old service get their families by the settings, too.

    Raises:
        ModelFolderError: They cannot be read.
    """
    return model.labels(settings.families) if isinstance(model, LegacyFolder) else model.labels()


def why_not(model: Model) -> str | None:
    """Why a model cannot be served; None if it can, after a conversion maybe."""
    if isinstance(model, ModelFolder):
        return None
    is_converted = any(
        _conversions(model).fullmatch(one.name) for one in (model.path / CONVERSIONS).glob("*")
    )
    if not is_converted and not can_convert():
        return f"{model.name!r} {NEEDS_TENSORFLOW}"
    return _known_fault(model)


def _known_fault(model: LegacyFolder) -> str | None:
    """Why an earlier conversion of the same files failed."""
    try:
        text = read_plain_file(inside(model.path, _failure(model)), MOST_FAILURE_BYTES)
        version, _, sentence = text.decode().partition("\n")
        return sentence if version == f"{CONVERSION} {model.version}" else None
    except ModelFolderError as error:
        return error.message
    except (OSError, ValueError):
        return None


def _failure(model: LegacyFolder) -> str:
    return f"{CONVERSIONS}/{model.checkpoint}.failed"


def _conversions(model: LegacyFolder) -> re.Pattern[str]:
    """What conversions of the checkpoint are called, whatever they were made from."""
    return re.compile(re.escape(model.checkpoint) + "-[0-9a-f]{16}")


def _digest(model: LegacyFolder, families: Path | None) -> str:
    """What a conversion is made from, in 16 hexadecimal digits."""
    table = remembered_sha256(families) if families and families.exists() else ""
    parts = f"{CONVERSION} {model.version} {model.checkpoint} {table}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def convert(
    model: LegacyFolder,
    target: Path,
    settings: Settings,
    seconds: float | None = None,
    *,
    is_kept: bool = False,
) -> None:
    """Write a checkpoint as a model folder.

    Args:
        model: The old folder, at the checkpoint that is meant.
        target: The model folder to write.
        settings: For ``families``.
        seconds: How long the first who asks waits, the others not at all; without end where not
            given.
        is_kept: Whether the target belongs into the old folder. Then one that is there already is
            as good, a failure is remembered, and the conversion goes on when this process ends.

    Raises:
        ModelNotReadyError: It takes longer and goes on, the folder was changed meanwhile, or
            TensorFlow is not installed.
        ModelFolderError: The folder cannot be converted.
    """
    process = _under_way.pop(target, None)
    if process and seconds:
        seconds = 0
    process = process or _start(model, target, settings, is_kept=is_kept)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _under_way[target] = process
        raise ModelNotReadyError(
            f"Model {model.name!r} is being converted for its first use, which can take a minute; "
            "send the photo again then."
        ) from None
    except BaseException:
        _end(process)
        raise
    if process.returncode == os.EX_TEMPFAIL:
        raise ModelNotReadyError(output.strip())
    if process.returncode:
        died = f"{model.weights} could not be converted: the process ended with the status "
        raise ModelFolderError(output.strip() or f"{died}{process.returncode}.")


def can_convert() -> bool:
    """Whether the extra ``train`` is installed."""
    return all(importlib.util.find_spec(module) for module in ("tensorflow", "h5py"))


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()  # so that it takes away what it has half written
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    process.kill()
    process.wait()


def _start(
    model: LegacyFolder, target: Path, settings: Settings, *, is_kept: bool
) -> subprocess.Popen[str]:
    if not can_convert():
        raise ModelNotReadyError(f"{model.name!r} {NEEDS_TENSORFLOW}")
    LOG.warning("%s is of the old service; it is converted now, once.", model.path)
    command = python("from plant_classification.models import conversion; conversion.main()")
    job = {
        "path": str(model.path),
        "checkpoint": model.checkpoint,
        "version": model.version,
        "target": str(target),
        "families": str(settings.families or ""),
        "is_kept": is_kept,
        "parent": os.getpid(),
    }
    return subprocess.Popen(
        [*command, json.dumps(job)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        start_new_session=True,  # Ctrl-C in a terminal comes to the parent, which ends it in order
    )


def main() -> None:
    """Convert what the argument says; where that fails, say why on standard output."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    job = json.loads(sys.argv[1])
    path, target = Path(job["path"]), Path(job["target"])
    if not job["is_kept"]:
        end_with(job["parent"], signal.SIGTERM)
    try:
        with locked(target.parent):
            signal.alarm(MOST_SECONDS)
            _work(path, target, job)
    except ModelNotReadyError as error:
        sys.exit(_said(error.message, os.EX_TEMPFAIL))
    except PlantClassificationError as error:
        sys.exit(_said(error.message))
    except OSError as error:
        place = error.filename2 or error.filename or target
        sys.exit(
            _said(
                f"{place} cannot be written: {error.strerror}; convert into another folder: "
                f"plant-classification models import {path}"
            )
        )
    except MemoryError:
        sys.exit(_said(f"{path} could not be converted: there is not enough memory."))
    except Exception as error:  # noqa: BLE001 - told to the one who waits
        sys.exit(_said(f"{path} could not be converted: {type(error).__name__}: {error}"))


def _said(sentence: str, status: int = 1) -> int:
    print(sentence)
    return status


def _work(path: Path, target: Path, job: Mapping[str, Any]) -> None:
    families = Path(job["families"]) if job["families"] else None
    model = _unchanged(path, job)
    if not job["is_kept"]:
        _convert(model, target, families, job)
        return
    with contextlib.suppress(ModelFolderError):
        read_model_folder(target)
        return  # made by another process, while this one waited
    remove(target)
    failure = path / _failure(model)
    try:
        _convert(model, target, families, job)
    except ModelFolderError as error:
        failure.write_text(f"{CONVERSION} {model.version}\n{error.message}", "utf-8")
        raise
    remove(failure)
    for other in target.parent.iterdir():
        if _conversions(model).fullmatch(other.name) and other != target:
            remove(other)


def _unchanged(path: Path, job: Mapping[str, Any]) -> LegacyFolder:
    model = read_legacy_folder(path).at(job["checkpoint"])
    if model.version != job["version"]:
        raise ModelNotReadyError(
            f"Model {model.name!r} was changed while it was converted; send the photo again."
        )
    return model


def _convert(
    model: LegacyFolder, target: Path, families: Path | None, job: Mapping[str, Any]
) -> None:
    from plant_classification.networks.export import convert as to_openvino
    from plant_classification.networks.keras2_checkpoint import rebuild

    labels = model.labels(families)
    network = rebuild(model.modelname, model.preprocessing.size, len(labels), model.weights)
    _unchanged(model.path, job)
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / NETWORK
        save_network(to_openvino(network), xml, half=False)
        write_model_folder(
            target,
            architecture=model.architecture,
            preprocessing=model.preprocessing,
            labels=labels,
            training={**model.training, "imported_from": "imgclas", "checkpoint": model.checkpoint},
            metrics=model.metrics,
            files={NETWORK: xml, NETWORK_WEIGHTS: xml.with_name(NETWORK_WEIGHTS)},
            created=model.created,
        )
