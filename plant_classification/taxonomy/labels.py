"""The labels of a network in the order of its outputs, as labels.csv of a model folder has them."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable

from plant_classification.taxonomy.names import parse_name

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


def read_labels(text: str, source: str) -> tuple[Label, ...]:
    """Read labels.csv.

    Args:
        text: The content; ``label`` is the one column that must be there. Columns that begin with
            ``common_`` and a language code hold common names, parted by ``|``.
        source: What the file is called in messages.

    Raises:
        ValueError: A fault, with file and line.
    """
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if "label" not in (rows.fieldnames or ()):
        raise ValueError(f"{source}, line 1: there is no column 'label'.")
    languages = [name for name in rows.fieldnames or () if name.startswith(COMMON)]
    labels = []
    line = 1
    try:
        for row in rows:
            if None in row or None in row.values() or not row["label"]:
                raise ValueError("the line has no label, or not as many fields as the first line")
            bare = label_of(row["label"], row.get("family") or None)
            common = tuple(
                (column[len(COMMON) :], tuple(row[column].split("|")))
                for column in languages
                if row[column]
            )
            labels.append(
                dataclasses.replace(
                    bare,
                    species=row["species"] or None if "species" in row else bare.species,
                    genus=row.get("genus") or bare.genus,
                    author=row["author"] or None if "author" in row else bare.author,
                    common_names=common,
                    info=row.get("info") or None,
                )
            )
            line = rows.line_num
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{source}, line {line + 1}: {error}") from None
    if not labels:
        raise ValueError(f"{source} holds no label.")
    return tuple(labels)


def write_labels(labels: Iterable[Label]) -> str:
    """The content of labels.csv: what :func:`read_labels` reads back as it was."""
    labels = tuple(labels)
    languages = sorted({language for label in labels for language, _ in label.common_names})
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow([*COLUMNS, *(COMMON + language for language in languages)])
    for label in labels:
        common = dict(label.common_names)
        fields = (label.name, label.species, label.genus, label.family, label.author, label.info)
        names = ["|".join(common.get(language, ())) for language in languages]
        rows.writerow([*(field or "" for field in fields), *names])
    return out.getvalue()
