"""Which labels a name in a list of species stands for, and what is said of one that is unknown."""

from __future__ import annotations

import pytest

from plant_classification.taxonomy import label_of
from plant_classification.taxonomy.species_lists import NameIndex, read_species_list

LABELS = [
    label_of("Bellis perennis L.", "Asteraceae"),
    label_of("Taraxacum officinale", "Asteraceae"),
    label_of("Rosa canina", "Rosaceae"),
    label_of("Rosa sp.", "Rosaceae"),
    label_of("Beta vulgaris subsp. maritima", "Amaranthaceae"),
    label_of("Beta vulgaris subsp. vulgaris", "Amaranthaceae"),
    label_of("Mentha × piperita", "Lamiaceae"),
]
INDEX = NameIndex.of(LABELS)


def listed(text: str) -> list[str]:
    chosen = read_species_list(text, "garden.txt", INDEX)
    return [label.name for label, is_in in zip(LABELS, chosen, strict=True) if is_in]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Bellis perennis", ["Bellis perennis L."]),
        ("Taraxacum officinale F.H. Wigg.", ["Taraxacum officinale"]),
        ("Rosa canina", ["Rosa canina", "Rosa sp."]),
        ("Rosa rugosa", ["Rosa sp."]),
        ("Rosa", ["Rosa canina", "Rosa sp."]),
        ("Beta vulgaris subsp. vulgaris", ["Beta vulgaris subsp. vulgaris"]),
        ("Beta vulgaris", ["Beta vulgaris subsp. maritima", "Beta vulgaris subsp. vulgaris"]),
        ("Mentha x piperita", ["Mentha × piperita"]),
        ("Asteraceae", ["Bellis perennis L.", "Taraxacum officinale"]),
    ],
)
def test_a_name_stands_for(line: str, names: list[str]) -> None:
    assert listed(line) == names


def test_comments_blank_lines_windows_lines_and_a_byte_order_mark_are_no_names() -> None:
    text = "\ufeff# My garden\r\n\r\nBellis perennis  # by the gate\r\nRosa canina"
    assert listed(text) == ["Bellis perennis L.", "Rosa canina", "Rosa sp."]


def test_unknown_names_are_told_with_their_lines_and_the_nearest_known_name() -> None:
    with pytest.raises(ValueError, match=r"^garden\.txt names what the model does not") as caught:
        listed("Bellis perennis\nTaraxacum oficinale\n\n???\n")
    sentence = str(caught.value)
    assert "line 2: 'Taraxacum oficinale' (nearest: Taraxacum officinale)" in sentence
    assert "line 4: '???'" in sentence
    assert "Bellis" not in sentence


@pytest.mark.parametrize(
    "line",
    ["Rosa canina, Bellis perennis", "Rosa Canina", "Rosa sp., Bellis perennis", "Rosa\tBellis"],
)
def test_a_line_that_would_be_read_as_something_wider_is_unknown(line: str) -> None:
    with pytest.raises(ValueError, match="names what the model does not know"):
        listed(f"Bellis perennis\n{line}\n")


def test_a_genus_may_have_its_author() -> None:
    assert listed("Rosa L.") == ["Rosa canina", "Rosa sp."]


def test_a_long_line_is_not_told_whole() -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - what matters is how long it is
        listed("x" * 100_000)
    assert len(str(caught.value)) < 300


def test_of_many_unknown_names_the_first_are_told_and_the_others_counted() -> None:
    with pytest.raises(ValueError, match=r"line 5: 'Quercus e'.*; and 3 more\.$"):
        listed("\n".join(f"Quercus {letter}" for letter in "abcdefgh"))


def test_a_list_without_a_name_is_no_list() -> None:
    with pytest.raises(ValueError, match="holds no name"):
        listed("# nothing yet\n")
