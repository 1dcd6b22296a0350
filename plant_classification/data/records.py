"""Photos with what is known of each, in columns: what every reader gives and training takes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from plant_classification.taxonomy import Label

TRAIN, VALIDATION, TEST = "train", "val", "test"
SPLITS = (TRAIN, VALIDATION, TEST)


@dataclasses.dataclass(frozen=True, eq=False)
class Texts(Sequence[str]):
    """Many texts in one buffer, each decoded when it is asked for.

    Attributes:
        content: ``uint8``, in UTF-8.
        starts, ends: ``int64 (N,)``, where each text begins there, and where it has ended.
    """

    content: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Texts: ...

    def __getitem__(self, index: int | slice) -> str | Texts:
        if isinstance(index, slice):
            return Texts(self.content, self.starts[index], self.ends[index])
        return self.content[self.starts[index] : self.ends[index]].tobytes().decode()

    def take(self, indices: NDArray[np.integer]) -> Texts:
        """Some of them, in the order asked for; the buffer stays whole."""
        return Texts(self.content, self.starts[indices], self.ends[indices])


@dataclasses.dataclass(frozen=True)
class Record:
    """One photo.

    Attributes:
        path: The file.
        label: Index of its label.
        organ: What it shows (``leaf``, ``flower`` ...), or None where unknown.
        observation: What the photos of one plant have in common, or None where unknown.
        source: Where it comes from, or None where unknown.
    """

    path: Path
    label: int
    organ: str | None = None
    observation: str | None = None
    source: str | None = None


@dataclasses.dataclass(frozen=True)
class Records:
    """The photos of one split.

    Attributes:
        root: The folder that relative paths start from.
        paths: A file for each photo, relative to ``root`` or absolute.
        labels: ``int32 (N,)``, the index of each photo's label.
        organs, observations, sources: One for each photo, or None where none is known.
    """

    root: Path
    paths: Sequence[str]
    labels: NDArray[np.int32]
    organs: Sequence[str | None] | None = None
    observations: Sequence[str | None] | None = None
    sources: Sequence[str | None] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Record:
        columns = (self.organs, self.observations, self.sources)
        known = [None if column is None else column[index] for column in columns]
        return Record(self.path(index), int(self.labels[index]), *known)

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

    def path(self, index: int) -> Path:
        """The file of a photo."""
        return self.root / self.paths[index]

    def take(self, indices: NDArray[np.integer] | Sequence[int]) -> Records:
        """Some of the photos, in the order asked for."""
        places = np.asarray(indices, np.intp)

        def chosen(column: Sequence[Any] | None) -> Any:
            if isinstance(column, Texts):
                return column.take(places)
            return None if column is None else [column[place] for place in places.tolist()]

        return Records(
            self.root,
            chosen(self.paths),
            self.labels[places],
            chosen(self.organs),
            chosen(self.observations),
            chosen(self.sources),
        )


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set, read and checked.

    Attributes:
        folder: What was read: a folder or a table.
        kind: In words: ``"split files"``, ``"a folder per species"`` ...
        labels: In the order of the indices.
        splits: The photos of ``"train"``, and of ``"val"`` and ``"test"`` where there are some;
            in this order, however they are given.
        notes: Sentences that a person should see: what was passed over, how it was split.
    """

    folder: Path
    kind: str
    labels: tuple[Label, ...]
    splits: Mapping[str, Records]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if TRAIN not in self.splits or self.splits.keys() - {*SPLITS}:
            raise ValueError(f"splits are {TRAIN} and perhaps others of {SPLITS}: {[*self.splits]}")
        ordered = {name: self.splits[name] for name in SPLITS if name in self.splits}
        object.__setattr__(self, "splits", ordered)

    def everything(self) -> Records:
        """The photos of all splits, without organs, observations and sources."""
        splits = list(self.splits.values())
        root = splits[0].root
        paths = [
            path if one.root == root else str(one.root.absolute() / path)
            for one in splits
            for path in one.paths
        ]
        return Records(root, paths, np.concatenate([one.labels for one in splits]))

    def fingerprint(self) -> str:
        """What tells this data set from others: SHA-256 of its labels, paths and splits."""
        digest = hashlib.sha256()
        for words in (
            [label.name for label in self.labels],
            *(self.splits[s].paths for s in sorted(self.splits)),
        ):
            digest.update("\n".join(words).encode())
        for split in sorted(self.splits):
            digest.update(f"\n{split}".encode() + self.splits[split].labels.tobytes())
        return digest.hexdigest()
