"""An index of photos: the nearest of a million in less than a millisecond.

Photos are near each other whose features, the mean of the network's last feature map, point the
same way (cosine). The nearest are found in a graph (HNSW, Malkov & Yashunin 2018,
arXiv:1603.09320), by usearch, which is the extra ``index``; a few of them may be missed.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError, ModelFolderError
from plant_classification.files import new_folder
from plant_classification.models import ModelFolder
from plant_classification.models.folder import NETWORK_WEIGHTS
from plant_classification.openvino import import_openvino

FOLDER = "similar"
"""In a model folder: then its answers name similar photos."""

VECTORS, PHOTOS, ABOUT = "vectors.usearch", "photos.csv", "index.json"
COLUMNS = ("photo", "label")
NEIGHBOURS, WHILE_ADDING, WHILE_SEARCHING = 32, 128, 192
"""Links of each photo in the graph, and how many candidates are kept: more miss fewer."""

Add = Callable[[int, NDArray[np.float32]], None]
"""Takes the place of a photo and its features ``(D,)``."""


@dataclasses.dataclass(frozen=True)
class SimilarPhoto:
    """A known photo.

    Attributes:
        photo: Its path, from the folder that was indexed.
        label: What it shows.
        similarity: Cosine of the features, in [-1, 1]; 1 for the same photo.
    """

    photo: str
    label: str
    similarity: float


class PhotoIndex:
    """An index that is open; its vectors stay on disk until they are looked at.

    Attributes:
        root: The folder that was indexed.
    """

    def __init__(self, vectors: Any, photos: Sequence[tuple[str, str]], root: Path) -> None:
        self.root = root
        self._vectors, self._photos = vectors, photos

    def __len__(self) -> int:
        """How many photos can be found."""
        return len(self._vectors)

    @classmethod
    def open(cls, folder: Path, model: ModelFolder) -> PhotoIndex:
        """Open an index.

        Args:
            folder: What :func:`new_index` wrote.
            model: That which is asked for features.

        Raises:
            ModelFolderError: It is damaged, of another network, or usearch is missing.
        """
        index = _usearch()
        try:
            about = json.loads((folder / ABOUT).read_text("utf-8"))
            with (folder / PHOTOS).open(encoding="utf-8", newline="") as file:
                photos = [(row["photo"], row["label"]) for row in csv.DictReader(file)]
            vectors = index.restore(
                str(folder / VECTORS), view=True, expansion_search=WHILE_SEARCHING
            )
            root, network = Path(about["root"]), about["network"]
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):
            raise ModelFolderError(
                f"{folder} is no index, or is damaged; make it anew: plant-classification index."
            ) from None
        if vectors is None or not 0 < len(vectors) <= len(photos):
            raise ModelFolderError(f"{folder} is no index, or is damaged: make it anew.")
        if network != _network(model):
            raise ModelFolderError(
                f"{folder} was made with another network than {model.name}'s: make it anew, or "
                "name the model that it was made with."
            )
        return cls(vectors, photos, root)

    def nearest(self, features: NDArray[np.floating], count: int) -> tuple[SimilarPhoto, ...]:
        """The photos that look most like one, the most similar first.

        Args:
            features: ``(D,)``, the mean of the last feature map.
            count: How many, at most.
        """
        found = self._vectors.search(features.astype(np.float32), count)
        return tuple(
            SimilarPhoto(*self._photos[int(key)], 1.0 - float(distance))
            for key, distance in zip(found.keys, found.distances, strict=True)
        )


def _usearch() -> Any:
    """The class of its indices.

    OpenVINO goes first: when usearch 2.26 is loaded before it, OpenVINO 2026 reads no network.

    Raises:
        ArgumentError: It is not installed.
    """
    if not find_spec("usearch"):
        raise ArgumentError(
            "Similar photos need usearch: pip install 'plant-classification[index]'."
        )
    import_openvino()
    return importlib.import_module("usearch.index").Index


@contextlib.contextmanager
def new_index(
    folder: Path, photos: Sequence[tuple[str, str]], root: Path, model: ModelFolder, dimensions: int
) -> Iterator[Add]:
    """Write an index, whole or not at all.

    Args:
        folder: It must not be there yet.
        photos: Path, from ``root``, and label of each.
        root: The folder that the paths start from.
        model: Whose network gives the features.
        dimensions: How many features a photo has.

    Yields:
        What adds the features of a photo, one at a time; photos that are not added are not found.

    Raises:
        ArgumentError: usearch is missing.
        OSError: It cannot be written.
    """
    vectors = _usearch()(
        ndim=dimensions,
        metric="cos",
        dtype="f16",
        connectivity=NEIGHBOURS,
        expansion_add=WHILE_ADDING,
    )

    def add(place: int, row: NDArray[np.float32]) -> None:
        vectors.add(place, row)

    about = {"root": str(root), "network": _network(model), "model": model.name}
    with new_folder(folder) as made:
        yield add
        vectors.save(str(made / VECTORS))
        (made / ABOUT).write_text(json.dumps(about) + "\n", "utf-8")
        with (made / PHOTOS).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            table.writerows(photos)


def _network(model: ModelFolder) -> str:
    """What the features depend on: calibrating a model changes none of it."""
    return f"{model.files[NETWORK_WEIGHTS].sha256[:16]} {model.preprocessing.to_dict()}"
