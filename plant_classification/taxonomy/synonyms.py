"""Names of one taxon: which of them counts, by what a name says and by a table of the user's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from plant_classification.taxonomy.names import parse_name
from plant_classification.taxonomy.tables import read_table

COLUMNS = ("name", "accepted")


def read_synonyms(text: str, source: str) -> dict[str, str]:
    """Read a table of synonyms.

    Args:
        text: The content, CSV: each ``name`` with the one that is ``accepted`` instead.
        source: What the file is called in messages.

    Returns:
        The accepted name of each name, both in normal form (:func:`normal_form`).

    Raises:
        ValueError: A fault, with file and line: a name with two accepted ones, or one whose
            accepted name is itself a synonym of another.
    """
    accepted: dict[str, str] = {}

    def add(row: dict[str, str]) -> None:
        name, other = (normal_form(row[column]) for column in COLUMNS)
        if accepted.setdefault(name, other) != other:
            raise ValueError(f"{name} is {accepted[name]} by an earlier line, not {other}.")

    read_table(text, source, COLUMNS, add)
    for name, other in accepted.items():
        if accepted.get(other, other) != other:
            raise ValueError(
                f"{source}: {name} is {other}, and that is {accepted[other]}; give each name the "
                "one that is accepted in the end."
            )
    return accepted


def normal_form(name: str) -> str:
    """A name without its author: ``Rosa sp.``, ``Mentha × piperita``, ``Beta vulgaris subsp. x``.

    Raises:
        ValueError: It cannot be read.
    """
    parsed = parse_name(name)
    return " ".join(filter(None, (parsed.species or f"{parsed.genus} sp.", parsed.infraspecific)))


def accepted_names(names: Iterable[str], synonyms: Mapping[str, str]) -> list[str]:
    """The name that counts for each: its normal form, or what that is a synonym of.

    Raises:
        ValueError: A name cannot be read.
    """
    forms = map(normal_form, names)
    return [synonyms.get(form, form) for form in forms]


def first_places(names: Sequence[str]) -> dict[str, int]:
    """Where each name stands first: labels of one name are one label."""
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        places.setdefault(name, place)
    return places
