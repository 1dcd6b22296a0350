"""Model folders of the old service (``imgclas``), read as it wrote them.

What it is made of::

    ckpts/final_model.h5, ckpts/epoch-NN.hdf5   whole models of Keras 2, one for each checkpoint
    conf/conf.json                              how it was trained; how photos are prepared
    dataset_files/classes.txt, info.txt         a label a line; what is to be said of each
    stats/stats.json                            figures of each epoch

No file of it is followed out of the folder. :mod:`~plant_classification.models.conversion` makes of
a checkpoint what can be served.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from plant_classification.errors import ModelFolderError, UnknownModelError
from plant_classification.files import (
    decoded,
    identity,
    open_plain,
    read_plain_file,
    refuse_constant,
    remembered_sha256,
)
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.taxonomy import Label, labels_from, load_families

CHECKPOINTS = "ckpts"
CONF = "conf/conf.json"
CLASSES = "dataset_files/classes.txt"
INFO = "dataset_files/info.txt"
STATS = "stats/stats.json"
USUAL_CHECKPOINT = "final_model.h5"
MOST_TEXT_BYTES = 50_000_000
MOST_WEIGHTS_BYTES = 1 << 30
"""The largest old network has a quarter of that, thrice with its optimizer."""
MOST_GROUP_BYTES = 20_000
MOST_GROUP_PARTS = 100
SIZES = range(32, 1001)
"""Of the input, as the old service allowed them."""
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

PREPROCESS_MODES = {
    "Xception": "tf",
    "MobileNet": "tf",
    "NASNetMobile": "tf",
    "InceptionV3": "tf",
    "InceptionResNetV2": "tf",
    "DenseNet121": "torch",
    "DenseNet169": "torch",
    "DenseNet201": "torch",
    "ResNet50": "caffe",
    "VGG16": "caffe",
    "VGG19": "caffe",
}
"""The architectures of the old service, and what each does with a photo's values."""

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d_\d{6}")
_CHECKPOINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}\.(h5|hdf5)")


@dataclasses.dataclass(frozen=True)
class LegacyFolder:
    """A model of the old service, and which of its checkpoints is meant.

    Attributes:
        path: The folder.
        name: Under which the model is asked for: the folder's name.
        created: When its training began, by its name or stats.json; else the checkpoint's date.
        modelname: The old service's name for its network, one of ``PREPROCESS_MODES``.
        preprocessing: How the network wants its photos.
        names: A label a line, as classes.txt has them.
        infos: What info.txt says of each, or None where there is none.
        checkpoints: The names of all, the usual one first.
        checkpoint: The one that is meant.
        training: What conf.json says.
        metrics: Accuracy of the last epoch on the validation photos, where it was measured.
    """

    path: Path
    name: str
    created: datetime
    modelname: str
    preprocessing: Preprocessing
    names: tuple[str, ...] = dataclasses.field(repr=False)
    infos: tuple[str, ...] | None = dataclasses.field(repr=False)
    checkpoints: tuple[str, ...]
    checkpoint: str
    training: Mapping[str, Any] = dataclasses.field(compare=False, repr=False)
    metrics: Mapping[str, Any] = dataclasses.field(compare=False)

    @property
    def architecture(self) -> str:
        """Name in the registry of ``networks``."""
        return self.modelname.lower()

    @property
    def label_count(self) -> int:
        """Number of labels."""
        return len(self.names)

    @property
    def weights(self) -> Path:
        """The file of the checkpoint that is meant."""
        return inside(self.path, f"{CHECKPOINTS}/{self.checkpoint}")

    @property
    def version(self) -> str:
        """12 hexadecimal digits that change with the weights, the labels and the preprocessing.

        Raises:
            ModelFolderError: The checkpoint cannot be read.
        """
        try:
            weights = remembered_sha256(self.weights)
        except OSError as error:
            raise ModelFolderError(f"{self.weights} cannot be read: {error.strerror}.") from None
        return _version(self, weights)

    def at(self, checkpoint: str) -> LegacyFolder:
        """The same model at another checkpoint.

        Raises:
            UnknownModelError: There is none of that name; the sentence lists those that exist.
            ModelFolderError: It is no whole HDF5 file.
        """
        if checkpoint not in self.checkpoints:
            raise UnknownModelError(
                f"Model {self.name!r} has no checkpoint {checkpoint[:100]!r}; "
                f"there are: {', '.join(self.checkpoints)}.",
                field="ckpt_name",
            )
        other = dataclasses.replace(self, checkpoint=checkpoint)
        check_whole(other.weights)
        return other

    def labels(self, families: Path | None = None) -> tuple[Label, ...]:
        """The labels, with genus and family.

        Args:
            families: A table of the user's, read before the package's own.

        Raises:
            ModelFolderError: A line of classes.txt is not a scientific name.
        """
        try:
            return labels_from(self.names, self.infos, load_families(families))
        except ValueError as error:
            raise ModelFolderError(f"{self.path / CLASSES}, {error}") from None


@functools.lru_cache(maxsize=1024)
def _version(folder: LegacyFolder, weights: str) -> str:
    rule = json.dumps(folder.preprocessing.to_dict())
    parts = (weights, folder.architecture, rule, *folder.names, "", *(folder.infos or ()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def is_legacy_folder(path: Path) -> bool:
    """Whether a folder looks like one of the old service, whole or not."""
    return (path / CONF).parent.is_dir() or (path / CHECKPOINTS).is_dir()


def read_legacy_folder(path: Path) -> LegacyFolder:
    """Read everything but the weights.

    Raises:
        ModelFolderError: A file is missing, leads out of the folder or cannot be used.
    """
    parts = (CONF, CLASSES, INFO, STATS, CHECKPOINTS)
    folder = _read_unchanged(path, *(identity(path / part) for part in parts))
    check_whole(folder.weights)
    return folder


def check_whole(path: Path) -> None:
    """Judge a checkpoint by its first bytes, which say how long an HDF5 file is.

    The superblock has the address of the file's end (HDF5 File Format Specification 3.0, II.A):
    from byte 40 in the versions 0 and 1, from byte 28 in 2 and 3.

    Raises:
        ModelFolderError: It is no HDF5 file, or has not all its bytes, as while it is being copied.
    """
    try:
        with open_plain(path, MOST_WEIGHTS_BYTES) as file:
            head = file.read(64)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ModelFolderError(f"{path} cannot be read: {error.strerror}.") from None
    if len(head) < 64 or not head.startswith(HDF5_SIGNATURE) or head[8] > 3:
        raise ModelFolderError(f"{path} is no HDF5 file, as Keras 2 wrote them; copy it again.")
    place = 40 if head[8] < 2 else 28
    end = int.from_bytes(head[place : place + 8], "little")
    if size < end:
        raise ModelFolderError(
            f"{path} has {size:,} bytes of {end:,}; if it is being copied, wait, else copy it "
            "again."
        )


def inside(folder: Path, relative: str) -> Path:
    """The path of a file in the folder.

    Raises:
        ModelFolderError: A link leads it out of the folder.
    """
    path = folder / relative
    try:
        is_inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):
        raise ModelFolderError(f"{path} is a link that leads nowhere.") from None
    if not is_inside:
        raise ModelFolderError(
            f"{path} is a link that leads out of the model folder; put the file itself there."
        )
    return path


@functools.lru_cache(maxsize=1024)
def _read_unchanged(path: Path, *_identities: tuple[int, ...]) -> LegacyFolder:
    """Read the folder once for as long as its files stay the same."""
    conf_path = path / CONF
    conf = _json(path, CONF)
    try:
        modelname = conf["model"]["modelname"]
        if modelname not in PREPROCESS_MODES:
            raise ModelFolderError(
                f"{conf_path} names the network {modelname!r:.100}; "
                f"there are: {', '.join(PREPROCESS_MODES)}."
            )
        preprocessing = _preprocessing(conf, modelname)
        num_classes = conf["model"].get("num_classes")
    except KeyError as error:
        raise ModelFolderError(f"{conf_path} lacks the value {error}.") from None
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelFolderError(f"{conf_path} cannot be used: {error}.") from None
    names = _lines(path, CLASSES)
    if blank := next((line for line, name in enumerate(names, 1) if not name), None):
        raise ModelFolderError(
            f"{path / CLASSES}, line {blank}: the line is blank; it must name a label."
        )
    if num_classes not in (None, len(names)):
        raise ModelFolderError(
            f"{path / CLASSES} has {len(names)} lines, and {CONF} says {num_classes!r} classes."
        )
    infos = _lines(path, INFO) if os.path.lexists(path / INFO) else None
    if infos and len(infos) < len(names):
        infos += ("",) * (len(names) - len(infos))  # blank lines at the end
    if infos and len(infos) != len(names):
        raise ModelFolderError(
            f"{path / INFO} has {len(infos)} lines, and {CLASSES} {len(names)}: one for each label."
        )
    checkpoints = _checkpoints(path)
    stats = _json(path, STATS) if os.path.lexists(path / STATS) else {}
    return LegacyFolder(
        path=path,
        name=path.name,
        created=_created(path, stats, checkpoints[0]),
        modelname=modelname,
        preprocessing=preprocessing,
        names=names,
        infos=infos,
        checkpoints=checkpoints,
        checkpoint=checkpoints[0],
        training=_recorded(conf),
        metrics=_metrics(stats),
    )


def _json(folder: Path, relative: str) -> dict[str, Any]:
    path = inside(folder, relative)
    try:
        values = json.loads(read_plain_file(path, MOST_TEXT_BYTES), parse_constant=refuse_constant)
    except OSError as error:
        raise ModelFolderError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise ModelFolderError(f"{path} is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise ModelFolderError(f"{path} must hold a JSON object.")
    return values


def _lines(folder: Path, relative: str) -> tuple[str, ...]:
    """The lines without the white space around them, and without blank ones at the end."""
    path = inside(folder, relative)
    try:
        text = decoded(read_plain_file(path, MOST_TEXT_BYTES), str(path))
    except OSError as error:
        raise ModelFolderError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise ModelFolderError(str(error)) from None
    return tuple(line.strip() for line in text.rstrip().split("\n"))


def _preprocessing(conf: Mapping[str, Any], modelname: str) -> Preprocessing:
    """The old service's rule: ``x - mean_RGB``, then by mode; the photo stretched to a square."""
    mode = conf["model"].get("preprocess_mode") or PREPROCESS_MODES[modelname]
    if mode not in ("tf", "caffe", "torch"):
        raise ValueError(f"preprocess_mode must be tf, caffe or torch, not {mode!r}")
    mean = _three(conf["dataset"], "mean_RGB")
    if conf["model"]["image_size"] not in SIZES:
        raise ValueError(
            f"image_size must be a whole number from {SIZES[0]} to {SIZES[-1]}, "
            f"not {conf['model']['image_size']!r:.100}"
        )
    is_bgr = mode == "caffe"
    scales = {"tf": lambda: (127.5,) * 3, "caffe": lambda: (1.0,) * 3}
    return Preprocessing(
        size=conf["model"]["image_size"],
        resize="stretch",
        antialias=False,
        mean=mean[::-1] if is_bgr else mean,
        scale=scales.get(mode, lambda: _three(conf["dataset"], "std_RGB"))(),
        channels="BGR" if is_bgr else "RGB",
    )


def _three(values: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    numbers = values[key]
    if not isinstance(numbers, list) or len(numbers) != 3:
        raise ValueError(f"{key} must be three numbers, not {numbers!r:.100}")
    red, green, blue = (float(number) for number in numbers)
    return red, green, blue


def _recorded(conf: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of conf.json for the record: the groups that are as short as they should be."""
    texts = {group: json.dumps(values) for group, values in conf.items()}
    return {
        group: conf[group]
        for group, text in sorted(texts.items())
        if len(text) < MOST_GROUP_BYTES and text.count("{") + text.count("[") < MOST_GROUP_PARTS
    }


def _checkpoints(folder: Path) -> tuple[str, ...]:
    """The usual one first, then the others from the last epoch back."""
    path = inside(folder, CHECKPOINTS)
    try:
        names = sorted(entry.name for entry in path.iterdir() if _CHECKPOINT.fullmatch(entry.name))
    except OSError as error:
        raise ModelFolderError(f"{path} cannot be read: {error.strerror}.") from None
    if not names:
        raise ModelFolderError(f"{path} holds no checkpoint (*.h5, *.hdf5).")
    for name in names:
        inside(path, name)
    names.sort(key=_epoch, reverse=True)
    return tuple(sorted(names, key=lambda name: name != USUAL_CHECKPOINT))


def _epoch(name: str) -> int:
    number = re.search(r"\d+", name)
    return int(number[0]) if number else -1


def _created(folder: Path, stats: Mapping[str, Any], checkpoint: str) -> datetime:
    for text in (folder.name, str(stats.get("timestamp"))):
        if _TIMESTAMP.fullmatch(text):
            with contextlib.suppress(ValueError):
                return datetime.strptime(f"{text} +0000", "%Y-%m-%d_%H%M%S %z")
    seconds = (folder / CHECKPOINTS / checkpoint).stat().st_mtime
    return datetime.fromtimestamp(seconds, timezone.utc)


def _metrics(stats: Mapping[str, Any]) -> dict[str, Any]:
    for key in ("val_acc", "val_accuracy"):
        values = stats.get(key)
        last = values[-1] if isinstance(values, list) and values else None
        if isinstance(last, float) and 0 <= last <= 1:
            return {"validation of the old service": {"top_1": last}}
    return {}
