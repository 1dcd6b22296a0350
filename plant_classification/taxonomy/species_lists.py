"""What labels a name of a flora, a garden or a table stands for, and lists of such names."""

from __future__ import annotations

import dataclasses
import difflib
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plant_classification.taxonomy.labels import Label
from plant_classification.taxonomy.names import parse_name
from plant_classification.taxonomy.synonyms import normal_form

MOST_NAMED = 5
COMMENT = "#"
_SHORT = reprlib.Repr()
_SHORT.maxstring = 80
_AUTHOR = re.compile(r"(\(|[^\W\d_a-z])[^;,\t]*\..*")
"""What may follow a genus: ``Rosa L.``; but ``Iris Vulgaris`` is a species, badly written."""


@dataclasses.dataclass(frozen=True)
class NameIndex:
    """Where names stand among a model's labels.

    Attributes:
        names: In normal form: each label's, its species without what stands below it, its genus
            and its family.
        places: For each name its labels.
        unnamed_species: For each genus its labels that are only a genus.
    """

    names: tuple[str, ...]
    places: Mapping[str, tuple[int, ...]]
    unnamed_species: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, labels: Sequence[Label]) -> NameIndex:
        """The index of a model's labels."""
        places: dict[str, list[int]] = {}
        unnamed: dict[str, list[int]] = {}
        for place, label in enumerate(labels):
            names = (normal_form(label.name), label.species, label.genus, label.family)
            for name in dict.fromkeys(filter(None, names)):
                places.setdefault(name, []).append(place)
            if label.species is None:
                unnamed.setdefault(label.genus, []).append(place)
        return cls(
            tuple(places),
            {name: tuple(found) for name, found in places.items()},
            {genus: tuple(found) for genus, found in unnamed.items()},
        )

    def find(self, name: str) -> tuple[int, ...]:
        """The labels that a name stands for; none where the model does not know it, or it is none.

        A species stands for its label and those below it, and for a label of its genus whose
        species is not named; a genus or a family for all its labels.
        """
        try:
            parsed = parse_name(name)
        except ValueError:
            return ()
        if parsed.species is None:
            is_genus = parsed.author is None or _AUTHOR.fullmatch(parsed.author)
            return self.places.get(parsed.genus, ()) if is_genus else ()
        exact = self.places.get(normal_form(name), ()) or self.places.get(parsed.species, ())
        return exact + self.unnamed_species.get(parsed.genus, ())

    def nearest(self, name: str) -> str | None:
        """The known name that is most like another one, where one is."""
        return next(iter(difflib.get_close_matches(name, self.names, 1)), None)


def read_species_list(text: str, source: str, index: NameIndex) -> NDArray[np.bool_]:
    """Which labels a list of species leaves possible.

    Args:
        text: A name a line, of a species, a genus or a family, with its author or without; what
            follows ``#`` is not read.
        source: What the list is called in messages.
        index: Of the model's labels.

    Returns:
        ``bool (labels,)``.

    Raises:
        ValueError: Names that the model does not know, each with its line and the nearest one that
            it knows; or no name at all.
    """
    listed = np.zeros(1 + max(place for places in index.places.values() for place in places), bool)
    unknown = []
    for line, name in _names(text):
        if places := index.find(name):
            listed[list(places)] = True
        else:
            unknown.append((line, name))
    if unknown:
        told = "; ".join(
            f"line {line}: {_SHORT.repr(name)}"
            + (f" (nearest: {near})" if (near := index.nearest(name)) else "")
            for line, name in unknown[:MOST_NAMED]
        )
        more = f"; and {len(unknown) - MOST_NAMED:,} more" if len(unknown) > MOST_NAMED else ""
        raise ValueError(f"{source} names what the model does not know, {told}{more}.")
    if not listed.any():
        raise ValueError(f"{source} holds no name: write one a line.")
    return listed


def _names(text: str) -> Iterator[tuple[int, str]]:
    for line, content in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if name := content.partition(COMMENT)[0].strip():
            yield line, name
