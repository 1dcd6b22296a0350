"""Reading a model file of Keras 2 (``model.save`` to ``.h5`` or ``.hdf5``) with h5py alone.

Such a file holds the network's description as JSON, in the attribute ``model_config``, and in the
group ``model_weights`` one group for each layer, which its attribute ``layer_names`` lists. The
attribute ``weight_names`` of a layer's group lists its datasets. An attribute over 64 KB is split
into ``layer_names0``, ``layer_names1`` and so on.

The file may come from anywhere, so nothing of it is run, and nothing is followed out of it: no
soft or external link, no virtual dataset, no external storage.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ModelFolderError

MOST_ATTRIBUTE_BYTES = 1 << 24
MOST_WEIGHT_BYTES = 1 << 30
COPY_AGAIN = "copy it again from where it was trained"
SAVE_AGAIN = "save the whole model with Keras 2 once more"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a file holds of a network.

    Attributes:
        config: Its description, as Keras wrote it.
        weights: For each layer that has any, its arrays, ``float32``, by the name that Keras gives
            them within a layer: ``kernel``, ``bias``, ``gamma`` ...
    """

    config: Mapping[str, Any]
    weights: Mapping[str, Mapping[str, NDArray[np.float32]]]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read the description and the weights; those of an optimizer are left.

    Raises:
        ModelFolderError: The file cannot be used; the sentence says why, without the path.
    """
    if not path.is_file():
        raise ModelFolderError(f"it is missing, or no plain file; {COPY_AGAIN}.")
    try:
        with h5py.File(path, "r") as file:
            if "model_config" not in file.attrs or "model_weights" not in file:
                raise ModelFolderError(
                    "it lacks model_config or model_weights, as a file of weights alone does; "
                    f"{SAVE_AGAIN}."
                )
            config = json.loads(_text(_attribute(file, "model_config")))
            datasets = _find_datasets(_follow(file, "model_weights"), path.stat().st_size)
            weights = {
                layer: {name: _read(dataset) for name, dataset in found.items()}
                for layer, found in datasets.items()
            }
    except OSError as error:
        raise ModelFolderError(
            f"it is not an HDF5 file, or was cut short ({error!s:.200}); {COPY_AGAIN}."
        ) from None
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelFolderError(f"it is damaged ({error!s:.200}); {COPY_AGAIN}.") from None
    return Checkpoint(config, weights)


def _find_datasets(group: Any, file_bytes: int) -> dict[str, dict[str, Any]]:
    """The datasets by layer and name, none of them read yet, together no larger than the file."""
    found: dict[str, dict[str, Any]] = {}
    total = 0
    for layer in _names(group, "layer_names"):
        layer_group = _follow(group, layer)
        datasets = {
            name.rsplit("/", 1)[-1].removesuffix(":0"): _follow(layer_group, name)
            for name in _names(layer_group, "weight_names")
        }
        for dataset in datasets.values():
            _check_storage(dataset)
            total += dataset.size * dataset.dtype.itemsize
        if total > min(file_bytes, MOST_WEIGHT_BYTES):
            raise ModelFolderError(f"its weights are larger than the file or 1 GiB; {COPY_AGAIN}.")
        if datasets:
            found[layer] = datasets
    return found


def _follow(group: Any, name: str) -> Any:
    """What lies under a path in the file, by hard links alone."""
    for part in name.split("/"):
        link = group.get(part, getlink=True)
        if link is None:
            raise ModelFolderError(f"it lacks {part!r:.200} in {group.name!r:.200}; {COPY_AGAIN}.")
        if not isinstance(link, h5py.HardLink):
            raise ModelFolderError(
                f"{part!r:.200} in {group.name!r:.200} is a link to elsewhere, which is never "
                f"followed; {SAVE_AGAIN}."
            )
        group = group[part]
    return group


def _check_storage(dataset: Any) -> None:
    creation = dataset.id.get_create_plist()
    if creation.get_layout() != h5py.h5d.CONTIGUOUS or creation.get_external_count():
        raise ModelFolderError(
            f"{dataset.name!r:.200} is virtual, compressed or stored in another file, "
            f"as Keras writes none; {SAVE_AGAIN}."
        )
    if dataset.dtype.kind != "f" or dataset.dtype.itemsize not in (2, 4, 8):
        raise ModelFolderError(
            f"{dataset.name!r:.200} holds {dataset.dtype}, and not float16, float32 or float64; "
            f"{SAVE_AGAIN}."
        )


def _read(dataset: Any) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        values = np.asarray(dataset[()], np.float32)
    if not np.isfinite(values).all():
        raise ModelFolderError(
            f"{dataset.name!r:.200} holds NaN or infinite numbers, as after a training that "
            "failed; use an earlier checkpoint."
        )
    return values


def _names(group: Any, attribute: str) -> list[str]:
    if attribute in group.attrs:
        return [_text(name) for name in np.ravel(_attribute(group, attribute))]
    parts: list[str] = []
    number = 0
    while f"{attribute}{number}" in group.attrs:
        parts += _names(group, f"{attribute}{number}")
        number += 1
    if not number:
        raise ModelFolderError(
            f"{group.name!r:.200} lacks the attribute {attribute}; {SAVE_AGAIN}."
        )
    return parts


def _attribute(group: Any, name: str) -> Any:
    attribute = group.attrs.get_id(name)
    if math.prod(attribute.shape) * attribute.dtype.itemsize > MOST_ATTRIBUTE_BYTES:
        raise ModelFolderError(f"its attribute {name} is too large; {COPY_AGAIN}.")
    return group.attrs[name]


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
