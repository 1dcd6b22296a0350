"""Names of one taxon: which of them counts, by what a name says and by a table of the user's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from plant_classification.taxonomy.names import Name, parse_name
from plant_classification.taxonomy.tables import read_table

COLUMNS = ("name", "accepted")
_AUTHOR = re.compile(r"(?=.*[.&])(?:\(?(?:[A-Z][\w.'-]*|&|ex|et|in|and|f\.|fil\.)\)?(?: |$))+")
"""Sure to be authors, as they are shortened; "Gala", "early blight" and "'Peace'" are more."""
_MOST_WORDS_OF_A_GENUS = 2


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
    return _without_author(parse_name(name))


def _without_author(name: Name) -> str:
    return " ".join(filter(None, (name.species or f"{name.genus} sp.", name.infraspecific)))


def loose_form(name: str) -> str:
    """The form in which the spellings of one name are alike: without author and case.

    Of a name that says more, such as a cultivar's or that of a disease, it is the whole.

    Raises:
        ValueError: It cannot be read.
    """
    parsed = parse_name(name)
    if parsed.species:
        says_more = bool(parsed.author) and not _AUTHOR.fullmatch(parsed.author or "")
    else:
        many = len(name.replace("_", " ").split()) > _MOST_WORDS_OF_A_GENUS
        says_more = many or bool(parsed.author)
    return (name if says_more else _without_author(parsed)).casefold()


def places_among(known: Sequence[str], names: Sequence[str]) -> list[int | None]:
    """Where each name stands among those that are known, or None.

    A name that is not there letter by letter is the one whose loose form it has, if on both sides
    one name alone has that, and not each of them another author.

    Raises:
        ValueError: A name cannot be read.
    """
    exact = first_places(known)
    known_forms, forms = [loose_form(name) for name in exact], [loose_form(name) for name in names]
    loose = dict(zip(known_forms, exact, strict=True))
    count, count_known = Counter(forms), Counter(known_forms)

    def place(name: str, form: str) -> int | None:
        if name in exact:
            return exact[name]
        if not count[form] == count_known[form] == 1:
            return None
        authors = {parse_name(one).author for one in (name, loose[form])} - {None}
        return exact[loose[form]] if len(authors) < 2 else None

    return [place(name, form) for name, form in zip(names, forms, strict=True)]


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
