"""Names of one taxon."""

from __future__ import annotations

import pytest

from plant_classification.taxonomy.synonyms import (
    accepted_names,
    normal_form,
    places_among,
    read_synonyms,
)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Rosa canina L.", "Rosa canina"),
        ("Rosa", "Rosa sp."),
        ("Rosa spp.", "Rosa sp."),
        ("Mentha x piperita L.", "Mentha × piperita"),
        ("Beta vulgaris L. subsp. vulgaris", "Beta vulgaris subsp. vulgaris"),
    ],
)
def test_a_name_has_a_normal_form_without_author(name: str, normal: str) -> None:
    assert normal_form(name) == normal


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("Iris x germanica", 0),
        ("Iris × germanica", 0),
        ("iris_x_germanica", 0),
        ("Rosa", 1),
        ("Helianthus annuus L.", 2),
        ("Helianthus annuus 'Teddy Bear'", None),
        ("Rosa 'Peace'", None),
        ("Rosa Floribunda", None),
        ("Rosa sp. 1", None),
        ("Rosa cf. canina", None),
        ("Helianthus annuus (Vogel & Sm.) Mill. ex L. f.", 2),
        ("Helianthus annuus Gala", None),
        ("Helianthus annuus early blight", None),
        ("Helianthus annuus (leaf)", None),
        ("Helianthus annuus convar. x", None),
        ("Helianthus annuus Sunny Group", None),
        ("Bidens pilosa L.", None),
        ("Tulipa gesneriana L.", None),
        ("Bellis perennis", None),
    ],
)
def test_a_name_is_found_in_another_spelling_but_no_cultivar_is(
    name: str, place: int | None
) -> None:
    known = ["Iris x germanica", "Rosa sp.", "Helianthus annuus"]
    known += ["Bidens pilosa Mill.", "Tulipa gesneriana Red", "Tulipa gesneriana Blue"]
    assert places_among(known, [name, "Crocus sativus"]) == [place, None]


def test_of_several_spellings_none_is_taken_for_the_name_that_is_known() -> None:
    names = ["Tulipa gesneriana Red", "Tulipa gesneriana Blue"]
    assert places_among(["Tulipa gesneriana"], names) == [None, None]
    assert places_among(["Tulipa gesneriana"], ["Tulipa gesneriana", *names]) == [0, None, None]


def test_a_table_says_which_name_is_accepted() -> None:
    table = "name,accepted\nMatricaria recutita L.,Matricaria chamomilla\n"
    synonyms = read_synonyms(table, "synonyms.csv")
    names = ["Matricaria recutita", "Matricaria chamomilla L.", "Rosa canina"]
    assert accepted_names(names, synonyms) == ["Matricaria chamomilla"] * 2 + ["Rosa canina"]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("name\nRosa canina\n", "line 1: there is no column 'accepted'"),
        ("name,accepted\nRosa a,Rosa b\nRosa a,Rosa c\n", "line 3: Rosa a is Rosa b by an earlier"),
        ("name,accepted\n12,Rosa b\n", "line 2: '12' is not a scientific name"),
        ("name,accepted\nRosa a,Rosa b\nRosa b,Rosa c\n", "Rosa a is Rosa b, and that is Rosa c"),
    ],
)
def test_a_table_that_cannot_be_used_is_a_sentence(lines: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_synonyms(lines, "synonyms.csv")
