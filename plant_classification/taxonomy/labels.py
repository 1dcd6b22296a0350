"""The labels of a network in the order of its outputs, as labels.csv of a model folder has them."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from plant_classification.taxonomy.families import family_of
from plant_classification.taxonomy.names import parse_name
from plant_classification.taxonomy.synonyms import loose_form
from plant_classification.taxonomy.tables import read_table

MOST_NAMED = 10
"""Names that a remark lists before it says how many more there are."""

COLUMNS = ("label", "species", "genus", "family", "author", "info")
COMMON = "common_"


@dataclasses.dataclass(frozen=True)
class Label:
    """One class of a network.

    Attributes:
        name: As it goes over the wire (``Taraxacum officinale``, ``Rosa sp.``).
        species: The species, or None where the label is only a genus.
        genus: The genus.
        family: The family, or None where unknown.
        author: Author of the name, or None.
        common_names: Pairs of a language code and its names, the usual one first.
        info: What else is to be said of the label, or None: info.txt of the old service.
    """

    name: str
    species: str | None
    genus: str
    family: str | None = None
    author: str | None = None
    common_names: tuple[tuple[str, tuple[str, ...]], ...] = ()
    info: str | None = None

    @property
    def rank(self) -> str:
        """The rank at which the label is right: ``"species"`` or ``"genus"``."""
        return "species" if self.species else "genus"


def label_of(name: str, family: str | None = None) -> Label:
    """The label that a bare name stands for.

    Raises:
        ValueError: The name cannot be read.
    """
    parsed = parse_name(name)
    return Label(name, parsed.species, parsed.genus, family, parsed.author)


def labels_from(
    names: Sequence[str], infos: Sequence[str] | None, families: Mapping[str, str]
) -> tuple[Label, ...]:
    """The labels that a list of names stands for, in its order; a name that stands twice gives two.

    Args:
        names: One for each output of the network.
        infos: What else is to be said of each, where that is known.
        families: The family of each genus.

    Raises:
        ValueError: A name cannot be read, told with its line, or there are more or fewer infos.
    """
    if infos is not None and len(infos) != len(names):
        raise ValueError(f"there are {len(infos)} infos for {len(names)} names.")
    labels = []
    for line, (name, info) in enumerate(zip(names, infos or [""] * len(names), strict=True), 1):
        try:
            parsed = parse_name(name)
        except ValueError as error:
            raise ValueError(f"line {line}: {error}") from None
        family = family_of(parsed, families)
        labels.append(
            Label(name, parsed.species, parsed.genus, family, parsed.author, info=info or None)
        )
    return tuple(labels)


def remarks(labels: Sequence[Label]) -> list[str]:
    """What a person should know of labels: a sentence each, none where nothing is amiss."""
    counts = Counter(label.name for label in labels)
    doubles = [f"{name} ({count} times)" for name, count in counts.items() if count > 1]
    taxa = {label.name: (label.species or label.genus).casefold() for label in labels}
    shared = Counter(taxa.values())  # of thousands of names few need to be compared
    alike: dict[str, list[str]] = {}
    for name, taxon in taxa.items():
        if shared[taxon] > 1:
            alike.setdefault(loose_form(name), []).append(name)
    spellings = [" = ".join(names) for names in alike.values() if len(names) > 1]
    unplaced = [label.name for label in labels if not label.family]
    found = []
    if doubles:
        found.append(
            f"Names that stand more than once ({len(doubles)}): {listed(doubles)}; "
            "their probabilities are summed by rank."
        )
    if spellings:
        found.append(
            f"Labels whose names differ by author, sign or case alone ({len(spellings)}): "
            f"{listed(spellings)}; if they are one plant, give them one name."
        )
    if unplaced:
        found.append(
            f"Labels without a family ({len(unplaced)} of {len(labels)}): "
            f"{listed(list(dict.fromkeys(unplaced)))}; "
            "a table of their genera, which the setting 'families' names, gives them one."
        )
    return found


def listed(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first names, and how many there are more."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def read_labels(text: str, source: str) -> tuple[Label, ...]:
    """Read labels.csv.

    Args:
        text: The content; ``label`` is the one column that must be there. Columns that begin with
            ``common_`` and a language code hold common names, parted by ``|``.
        source: What the file is called in messages.

    Raises:
        ValueError: A fault, with file and line.
    """
    labels: list[Label] = []
    read_table(text, source, ("label",), lambda row: labels.append(_label(row)))
    if not labels:
        raise ValueError(f"{source} holds no label.")
    return tuple(labels)


def _label(row: Mapping[str, str]) -> Label:
    if not row["label"]:
        raise ValueError("the line has no label.")
    bare = label_of(row["label"], row.get("family") or None)
    return dataclasses.replace(
        bare,
        species=row["species"] or None if "species" in row else bare.species,
        genus=row.get("genus") or bare.genus,
        author=row["author"] or None if "author" in row else bare.author,
        common_names=tuple(
            (column[len(COMMON) :], tuple(names.split("|")))
            for column, names in row.items()
            if column.startswith(COMMON) and names
        ),
        info=row.get("info") or None,
    )


def write_labels(labels: Iterable[Label]) -> str:
    """The content of labels.csv: what :func:`read_labels` reads back as it was."""
    labels = tuple(labels)
    languages = sorted({language for label in labels for language, _ in label.common_names})
    table = [[*COLUMNS, *(COMMON + language for language in languages)]]
    for label in labels:
        common = dict(label.common_names)
        fields = (label.name, label.species, label.genus, label.family, label.author, label.info)
        names = ["|".join(common.get(language, ())) for language in languages]
        table.append([*(field or "" for field in fields), *names])
    # Before Python 3.13 csv leaves a carriage return without the quotes that it needs.
    all_quoted = any("\r" in field for row in table for field in row)
    out = io.StringIO(newline="")
    rows = csv.writer(
        out, lineterminator="\n", quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    )
    rows.writerows(table)
    return out.getvalue()
