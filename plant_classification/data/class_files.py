"""The labels of split files: classes.txt or synsets.txt, with info.txt and labels.csv beside it."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping
from pathlib import Path

from plant_classification.data.files import fault, read_text
from plant_classification.errors import DatasetError
from plant_classification.taxonomy import Label, family_of, label_of, labels_from, read_labels
from plant_classification.taxonomy.tables import delimiter_of, read_table

CLASSES = ("classes.txt", "synsets.txt")
INFO = "info.txt"
LABELS = "labels.csv"


def read_classes(
    folder: Path, families: Mapping[str, str]
) -> tuple[tuple[Label, ...], tuple[str, ...]]:
    """Read the labels.

    Args:
        folder: Where the files are.
        families: The family of each genus.

    Returns:
        The labels, in the order of classes.txt, and notes: sentences that a person should see.

    Raises:
        DatasetError: A file is missing, or cannot be used: with its line.
    """
    file = next((folder / name for name in CLASSES if (folder / name).is_file()), None)
    if file is None:
        raise DatasetError(f"{folder} has no {' or '.join(CLASSES)}: a name for each label.")
    names = _lines(file)
    if not names:
        raise DatasetError(f"{file} names no label.")
    if "" in names:
        raise fault(file, names.index("") + 1, "the line is blank; it must name a label.")
    infos = one_each(folder / INFO, len(names), file) if (folder / INFO).is_file() else None
    try:
        labels = labels_from(names, infos, families)
    except ValueError as error:
        raise DatasetError(f"{file}, {error}") from None
    table = folder / LABELS
    return _with_table(labels, table, families) if table.is_file() else (labels, ())


def one_each(file: Path, count: int, other: Path) -> list[str]:
    """The lines of a file that has one for each line of another; the last ones may be blank.

    Raises:
        DatasetError: It has fewer or more.
    """
    lines = [line.strip() for line in read_text(file).removesuffix("\n").split("\n")]
    while len(lines) > count and not lines[-1]:
        lines.pop()
    if len(lines) != count:
        raise DatasetError(
            f"{file} has {len(lines):,} lines, not one for each of {other.name}: {count:,}."
        )
    return lines


def _lines(file: Path) -> list[str]:
    """Without the white space around each, and without blank ones at the end."""
    text = read_text(file).rstrip()
    return [line.strip() for line in text.split("\n")] if text else []


def _with_table(
    labels: tuple[Label, ...], file: Path, families: Mapping[str, str]
) -> tuple[tuple[Label, ...], tuple[str, ...]]:
    """The labels as labels.csv has them, if it has the same ones."""
    text = read_text(file)
    known: list[Label] = []
    try:
        lines = text.removeprefix("\ufeff").splitlines()
        delimiter = delimiter_of("\n".join(lines[:1]), ("label", "species"))
        if "label" in next(csv.reader(lines, delimiter=delimiter), []):
            known = list(read_labels(text, str(file)))
        else:
            read_table(text, str(file), ("species",), lambda row: known.append(_label(row)))
        if [label.name for label in known] != [label.name for label in labels]:
            raise ValueError(f"{file} does not have the names of the classes, in their order.")
    except (ValueError, csv.Error) as error:
        return labels, (f"A table is passed over: {error}",)
    return tuple(
        dataclasses.replace(
            label,
            family=label.family or family_of(label.name, families),
            info=label.info or bare.info,
        )
        for label, bare in zip(known, labels, strict=True)
    ), ()


def _label(row: Mapping[str, str]) -> Label:
    """A row with the columns species, genus, family, common: names in English, parted by ``|``."""
    bare = label_of(row["species"], row.get("family") or None)
    common = tuple(row["common"].split("|")) if row.get("common") else ()
    return dataclasses.replace(
        bare,
        genus=row.get("genus") or bare.genus,
        common_names=(("en", common),) if common else (),
    )
