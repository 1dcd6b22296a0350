"""Pl@ntNet-300K (Garcin et al. 2021), as it is published.

::

    images/{train,val,test}/<species id>/<image id>.jpg
    plantnet300K_species_id_2_name.json    {species id: name with author}
    plantnet300K_metadata.json             {image id: {"obs_id": ..., "organ": ..., ...}}

Labels stand in the order of their ids as texts, like the outputs of the published networks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from plant_classification.data.files import list_folder, read_json
from plant_classification.data.records import TRAIN, Dataset, Records
from plant_classification.data.species_folders import split_folders
from plant_classification.errors import DatasetError
from plant_classification.taxonomy import Label, family_of, label_of, parse_name

NAMES = "plantnet300K_species_id_2_name.json"
METADATA = "plantnet300K_metadata.json"
IMAGES = "images"


def is_plantnet300k(path: Path) -> bool:
    """Whether a folder has the names of Pl@ntNet-300K."""
    return (path / NAMES).is_file()


def read_plantnet300k(path: Path, families: Mapping[str, str]) -> Dataset:
    """Read the names and what is known of each photo, and find the photos.

    Args:
        path: The folder with ``images`` and the two JSON files.
        families: The family of each genus.

    Raises:
        DatasetError: A file is missing or cannot be used; a folder has no name.
    """
    names = read_json(path / NAMES)
    metadata = read_json(path / METADATA) if (path / METADATA).is_file() else {}
    if not (path / IMAGES).is_dir():
        raise DatasetError(f"{path} has {NAMES}, but no folder {IMAGES!r}.")
    roots = split_folders(path / IMAGES)
    listed = {split: list_folder(root).folders for split, root in roots.items()}
    ids = sorted({number for numbers in listed.values() for number in numbers})
    labels = tuple(_label(path, number, names, families) for number in ids)
    indices = {number: index for index, number in enumerate(ids)}
    splits = {
        split: _records(root, listed[split], indices, metadata) for split, root in roots.items()
    }
    if not len(splits.get(TRAIN, ())):
        raise DatasetError(f"{path / IMAGES} holds no photo to train on.")
    lacking = sum(
        observation is None
        for records in splits.values()
        for observation in records.observations or ()
    )
    note = f"Photos of which {METADATA} says nothing: {lacking:,}."
    return Dataset(path, "Pl@ntNet-300K", labels, splits, (note,) if lacking else ())


def _label(path: Path, number: str, names: Mapping[str, Any], families: Mapping[str, str]) -> Label:
    """The label of a species id, its author apart."""
    if not isinstance(names.get(number), str):
        raise DatasetError(f"{path / NAMES} has no name for {number!r}, a folder of {IMAGES}.")
    try:
        parsed = parse_name(names[number])
    except ValueError as error:
        raise DatasetError(f"{path / NAMES}: {error}") from None
    name = " ".join(filter(None, (parsed.species or parsed.genus, parsed.infraspecific)))
    label = label_of(name, family_of(parsed, families))
    return dataclasses.replace(label, author=parsed.author)


def _records(
    root: Path, ids: tuple[str, ...], indices: Mapping[str, int], metadata: Mapping[str, Any]
) -> Records:
    paths, labels = [], []
    organs: list[str | None] = []
    observations: list[str | None] = []
    for number in ids:
        for picture in list_folder(root / number).pictures:
            about = metadata.get(Path(picture).stem)
            about = about if isinstance(about, Mapping) else {}
            paths.append(f"{number}/{picture}")
            labels.append(indices[number])
            organs.append(str(about.get("organ") or "") or None)
            observations.append(str(about.get("obs_id") or "") or None)
    return Records(root, paths, np.array(labels, np.int32), organs, observations)
