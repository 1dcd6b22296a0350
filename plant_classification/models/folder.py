"""The model folder: one trained model on disk, complete in itself (format 1).

``model.json`` names every other file with its size and SHA-256, so a folder without it, or without
a file that it names, is not a model. A folder is written under a ``.partial`` name and renamed when
it is whole. Nothing of it is ever unpickled.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ModelFolderError
from plant_classification.files import (
    PARTIAL,
    identity,
    new_folder,
    read_plain_file,
    refuse_constant,
    sha256,
    write_file,
)
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.taxonomy import Label, read_labels, write_labels
from plant_classification.trust import TrustRules
from plant_classification.trust.feature_statistics import load_means
from plant_classification.trust.rejection import directions

FORMAT = 1
MANIFEST = "model.json"
LABELS = "labels.csv"
NETWORK = "network.xml"
NETWORK_WEIGHTS = "network.bin"
KERAS_WEIGHTS = "weights.weights.h5"
CARD = "card.md"
TRUST = "trust.npz"
REPORT = "report.html"
METRICS = "metrics.json"
MOST_MANIFEST_BYTES = 1_000_000
COPY_AGAIN = "Copy or download the model again."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")


@dataclasses.dataclass(frozen=True)
class FileEntry:
    """What model.json says of another file: its size in bytes, and its SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class ModelFolder:
    """What model.json says.

    Attributes:
        path: The folder.
        name: Under which the model is asked for: the folder's name.
        created: When training ended, with its time zone.
        architecture: Name in the registry of ``networks``.
        preprocessing: How the network wants its photos.
        label_count: Number of labels, the network's outputs.
        trust: What held-back photos taught of the worth of its answers.
        training: How it was trained, in words and numbers.
        metrics: Figures in [0, 1], by the name of the data that they were measured on.
        files: Every other file, by name.
        version: First 12 digits of the SHA-256 of model.json.
    """

    path: Path
    name: str
    created: datetime
    architecture: str
    preprocessing: Preprocessing
    label_count: int
    trust: TrustRules = dataclasses.field(compare=False)
    training: Mapping[str, Any] = dataclasses.field(compare=False)
    metrics: Mapping[str, Any] = dataclasses.field(compare=False)
    files: Mapping[str, FileEntry] = dataclasses.field(compare=False)
    version: str

    @property
    def is_imported(self) -> bool:
        """Whether the old service trained it."""
        return self.training.get("imported_from") == "imgclas"

    @property
    def checkpoint(self) -> str | None:
        """The checkpoint of the old service that it was imported from."""
        name = self.training.get("checkpoint") if self.is_imported else None
        return name if isinstance(name, str) else None

    def file(self, name: str) -> Path:
        """The path of one of the folder's files, after its checksum has been compared.

        Raises:
            ModelFolderError: The file is missing, or is not the one that model.json names.
        """
        path = self.path / name
        if name not in self.files:
            raise ModelFolderError(f"{self.path / MANIFEST} names no file {name!r}.")
        try:
            digest = sha256(path)
        except OSError as error:
            raise ModelFolderError(f"{path} cannot be read: {error.strerror}.") from None
        if digest != self.files[name].sha256:
            raise ModelFolderError(
                f"{path} is not the file that {MANIFEST} names: its SHA-256 differs. {COPY_AGAIN}"
            )
        return path

    def labels(self) -> tuple[Label, ...]:
        """The labels, in the order of the network's outputs.

        Raises:
            ModelFolderError: labels.csv is missing, damaged, or of another length.
        """
        path = self.file(LABELS)
        try:
            labels = read_labels(path.read_text("utf-8"), str(path))
        except ValueError as error:
            raise ModelFolderError(str(error)) from None
        if len(labels) != self.label_count:
            raise ModelFolderError(
                f"{path} holds {len(labels)} labels, and {MANIFEST} says {self.label_count}. "
                f"{COPY_AGAIN}"
            )
        return labels

    def directions(self) -> NDArray[np.float32] | None:
        """The mean features of the labels (``rejection.directions``); None where none are kept.

        Raises:
            ModelFolderError: trust.npz is missing or damaged.
        """
        if TRUST not in self.files:
            return None
        path = self.file(TRUST)
        try:
            return directions(*load_means(path))
        except ValueError as error:
            raise ModelFolderError(str(error)) from None


def read_model_folder(path: Path) -> ModelFolder:
    """Read model.json; the other files are there, and are compared when they are needed.

    Raises:
        ModelFolderError: No model.json, one that cannot be used, or a file that is missing or of
            another size, as while the folder is being copied; the sentence says which.
    """
    manifest = path / MANIFEST
    try:
        folder = _read_unchanged(path, *identity(manifest))
    except OSError as error:
        raise ModelFolderError(
            f"{path} is not a model folder: {MANIFEST}: {error.strerror}."
        ) from None
    _check_complete(folder)
    return folder


@functools.lru_cache(maxsize=256)
def _read_unchanged(path: Path, *_identity: int) -> ModelFolder:
    """Read model.json once for as long as it stays the same file."""
    manifest = path / MANIFEST
    content = read_plain_file(manifest, MOST_MANIFEST_BYTES)
    try:
        values = json.loads(content, parse_constant=refuse_constant)
        if values["format"] != FORMAT:
            raise ModelFolderError(
                f"{manifest} is of format {values['format']!r}; this version reads format {FORMAT}."
            )
        created = datetime.fromisoformat(values["created"])
        return ModelFolder(
            path=path,
            name=path.name,
            created=created if created.tzinfo else created.replace(tzinfo=timezone.utc),
            architecture=str(values["architecture"]),
            preprocessing=Preprocessing.from_dict(values["preprocessing"]),
            label_count=int(values["labels"]),
            trust=TrustRules.from_dict(values),
            training=dict(values["training"]),
            metrics=dict(values["metrics"]),
            files={name: FileEntry(**entry) for name, entry in values["files"].items()},
            version=hashlib.sha256(content).hexdigest()[:12],
        )
    except KeyError as error:
        raise ModelFolderError(f"{manifest} lacks the field {error}. {COPY_AGAIN}") from None
    except ValueError as error:
        why = str(error).rstrip(".")
        raise ModelFolderError(f"{manifest} cannot be used: {why}. {COPY_AGAIN}") from None
    except (TypeError, AttributeError, OverflowError, RecursionError):
        raise ModelFolderError(
            f"{manifest} is not as this version writes it. {COPY_AGAIN}"
        ) from None


def write_model_folder(
    path: Path,
    *,
    architecture: str,
    preprocessing: Preprocessing,
    labels: Sequence[Label],
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    files: Mapping[str, Path],
    trust: TrustRules | None = None,
    created: datetime | None = None,
) -> ModelFolder:
    """Write a model folder, whole or not at all; its name is the model's.

    Args:
        path: The folder to make; it must not be there yet.
        architecture: Name in the registry of ``networks``.
        preprocessing: The rule that training's validation used.
        labels: In the order of the network's outputs.
        training: How it was trained; must go into JSON.
        metrics: Figures in [0, 1] by data set; must go into JSON.
        files: Names in the folder and where each is now; network.xml and network.bin must be
            among them.
        trust: What held-back photos taught, where there were some.
        created: When training ended, with its time zone; now where not given.

    Raises:
        ModelFolderError: The folder is there already, its name cannot be used, or a file lacks.
    """
    check_name(path.name)
    if path.exists():
        raise ModelFolderError(f"{path} is there already; give another name.")
    if missing := {NETWORK, NETWORK_WEIGHTS} - set(files):
        raise ModelFolderError(f"a model folder needs {' and '.join(sorted(missing))}.")
    with new_folder(path) as partial:
        for name, source in files.items():
            shutil.copyfile(source, partial / name)
        (partial / LABELS).write_text(write_labels(labels), "utf-8")
        entries = {
            file.name: {"bytes": file.stat().st_size, "sha256": sha256(file)}
            for file in sorted(partial.iterdir())
        }
        manifest = {
            "format": FORMAT,
            "name": path.name,
            "created": (created or datetime.now(timezone.utc)).isoformat(timespec="seconds"),
            "architecture": architecture,
            "preprocessing": preprocessing.to_dict(),
            "labels": len(labels),
            **(trust or TrustRules()).to_dict(),
            "training": training,
            "metrics": metrics,
            "files": entries,
        }
        content = json.dumps(manifest, indent=2) + "\n"
        if len(content) > MOST_MANIFEST_BYTES:
            raise ModelFolderError(
                f"{MANIFEST} would have more than {MOST_MANIFEST_BYTES:,} bytes; "
                "shorten what is said of the training."
            )
        (partial / MANIFEST).write_text(content, "utf-8")
    return read_model_folder(path)


def recalibrate(folder: ModelFolder, trust: TrustRules) -> ModelFolder:
    """Write other rules of trust into model.json, at once or not at all.

    Args:
        folder: A model folder; all else of it stays.
        trust: The rules.

    Returns:
        The same model, of another version.

    Raises:
        ModelFolderError: model.json cannot be read or written.
    """
    manifest = folder.path / MANIFEST
    try:
        values = json.loads(read_plain_file(manifest, MOST_MANIFEST_BYTES))
        values |= trust.to_dict()
        write_file(manifest, (json.dumps(values, indent=2) + "\n").encode())
    except OSError as error:
        raise ModelFolderError(f"{manifest} cannot be written: {error.strerror}.") from None
    except ValueError:
        raise ModelFolderError(f"{manifest} is not JSON. {COPY_AGAIN}") from None
    return read_model_folder(folder.path)


def check_name(name: str) -> None:
    """Judge a model's name before anything is written.

    Raises:
        ModelFolderError: It cannot be a folder's everywhere.
    """
    if not _NAME.fullmatch(name) or name.endswith(PARTIAL):
        raise ModelFolderError(
            f"{name!r} cannot be a model's name: give a letter or digit (A to Z, a to z), then at "
            f"most 99 letters, digits, '.', '_', '-' or ' ', not ending in {PARTIAL}."
        )


def _check_complete(folder: ModelFolder) -> None:
    if missing := {LABELS, NETWORK, NETWORK_WEIGHTS} - set(folder.files):
        raise ModelFolderError(
            f"{folder.path / MANIFEST} does not name {' and '.join(sorted(missing))}. {COPY_AGAIN}"
        )
    for name, entry in folder.files.items():
        path = folder.path / name
        try:
            is_whole = path.is_file() and path.stat().st_size == entry.bytes
        except OSError:
            is_whole = False
        if not is_whole:
            raise ModelFolderError(
                f"{path} is missing, or not of the {entry.bytes} bytes that {MANIFEST} says; "
                "if the model is being copied, wait, else copy it again."
            )
