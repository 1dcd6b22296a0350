"""The family of each genus, the labels of a list of names, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import plant_classification
from plant_classification.errors import SettingsError
from plant_classification.taxonomy import (
    Label,
    family_of,
    label_of,
    labels_from,
    load_families,
    ranks_of,
    read_labels,
    remarks,
    write_labels,
)

DOUBLES = ("Gladiolus illyricus", "Gymnadenia nigra")


@pytest.fixture(scope="module")
def published(shared: Path) -> tuple[Label, ...]:
    """The labels of the list that the old service's model has."""
    lines = (shared / "data/heredia2017/classes.txt").read_text("utf-8").splitlines()
    return labels_from(lines, None, load_families())


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of the user's, for a test to write."""
    return tmp_path / "my families.csv"


def test_every_published_name_has_a_genus_and_a_family(published: tuple[Label, ...]) -> None:
    assert len(published) == 6182
    assert all(label.species and label.genus and label.family for label in published)
    species, genus, family = ranks_of(published)
    assert (len(species.taxa), len(genus.taxa), len(family.taxa)) == (6180, 1498, 207)


def test_the_two_names_that_stand_twice_are_two_labels_each_and_summed_by_rank(
    published: tuple[Label, ...],
) -> None:
    species = ranks_of(published)[0]
    for name in DOUBLES:
        places = [place for place, label in enumerate(published) if label.name == name]
        assert len(places) == 2
        probabilities = np.zeros(len(published))
        probabilities[places] = (0.25, 0.5)
        assert species.sum(probabilities)[species.taxa.index(name)] == 0.75


def test_of_the_published_names_only_the_two_doubles_are_remarked(
    published: tuple[Label, ...],
) -> None:
    (remark,) = remarks(published)
    assert remark == (
        "Names that stand more than once (2): Gladiolus illyricus (2 times), "
        "Gymnadenia nigra (2 times); their probabilities are summed by rank."
    )


def test_the_published_labels_are_read_back_as_they_were_written(
    published: tuple[Label, ...],
) -> None:
    assert read_labels(write_labels(published), "labels.csv") == published


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Rosa", "Rosaceae"),
        ("Rosa canina L.", "Rosaceae"),
        ("Rosa sp.", "Rosaceae"),
        ("Mentha x piperita", "Lamiaceae"),
        ("x Orchidactyla penzigiana", "Orchidaceae"),
        ("×Triticosecale rimpaui", "Poaceae"),
        ("Arum italicum x Arum maculatum", "Araceae"),
        ("Arum italicum x A. maculatum", "Araceae"),
        ("Gymnadenia nigra subsp. rhellicani x Pseudorchis albida", "Orchidaceae"),
        ("Rosa canina x Bellis perennis", None),
        ("Rosa canina x Nosuchgenus albus", None),
        ("Nosuchgenus albus x Rosa canina", None),
        ("Nosuchgenus albus", None),
    ],
)
def test_a_name_has_the_family_on_which_all_its_genera_agree(name: str, family: str | None) -> None:
    assert family_of(name, load_families()) == family


def test_labels_keep_their_order_their_words_and_their_infos() -> None:
    names = ["x Triticosecale rimpaui", "Bellis_perennis", "Rosa sp.", "Bellis_perennis"]
    labels = labels_from(names, ["rye", "", "a genus", "daisy"], load_families())
    assert labels == (
        Label("x Triticosecale rimpaui", "× Triticosecale rimpaui", "Triticosecale", "Poaceae",
              info="rye"),
        Label("Bellis_perennis", "Bellis perennis", "Bellis", "Asteraceae"),
        Label("Rosa sp.", None, "Rosa", "Rosaceae", info="a genus"),
        Label("Bellis_perennis", "Bellis perennis", "Bellis", "Asteraceae", info="daisy"),
    )  # fmt: skip
    assert read_labels(write_labels(labels), "labels.csv") == labels


@pytest.mark.parametrize("name", ["00 cat", "", "x", "?"])
def test_a_line_that_is_no_scientific_name_is_told_with_its_place(name: str) -> None:
    with pytest.raises(ValueError, match=r"^line 3: .* is not a scientific name"):
        labels_from(["Rosa canina", "Bellis perennis", name], None, load_families())


@pytest.mark.parametrize("infos", [[], ["one"], ["one", "two", "three"]])
def test_an_info_too_few_or_too_many_is_told(infos: list[str]) -> None:
    with pytest.raises(ValueError, match=f"there are {len(infos)} infos for 2 names"):
        labels_from(["Rosa canina", "Bellis perennis"], infos, load_families())


def test_labels_without_a_fault_have_no_remarks() -> None:
    assert remarks([label_of("Rosa canina", "Rosaceae"), label_of("Rosa sp.", "Rosaceae")]) == []


def test_labels_of_unknown_genera_are_named_with_their_count() -> None:
    names = ["Rosa canina", "Nosuchgenus albus", "Nosuchgenus albus", "Nosuchgenus niger"]
    _, remark = remarks(labels_from(names, None, load_families()))
    assert remark == (
        "Labels without a family (3 of 4): Nosuchgenus albus, Nosuchgenus niger; "
        "a table of their genera, which the setting 'families' names, gives them one."
    )


def test_a_long_list_of_labels_is_cut_and_the_rest_counted() -> None:
    names = [f"Nosuchgenus {chr(97 + place)}us" for place in range(12)]
    (remark,) = remarks(labels_from(names, None, load_families()))
    assert remark.startswith("Labels without a family (12 of 12): Nosuchgenus aus, ")
    assert "Nosuchgenus jus and 2 more; " in remark


def test_a_users_table_adds_genera_and_wins_over_the_packages_own(table: Path) -> None:
    table.write_text("genus,family,note\nNosuchgenus,Nosuchaceae,\nRosa,Otheraceae,mine\n", "utf-8")
    families = load_families(table)
    assert (families["Nosuchgenus"], families["Rosa"]) == ("Nosuchaceae", "Otheraceae")
    assert families["Bellis"] == "Asteraceae"
    assert load_families()["Rosa"] == "Rosaceae"


def test_a_users_table_may_come_from_a_spreadsheet(table: Path) -> None:
    table.write_bytes(
        "\ufefffamily,genus\r\nAraliaceae,× Fatshedera\r\n\r\n"
        "Caricaceae , Carica\r\nCaricaceae,Carica\r\n".encode()
    )
    families = load_families(table)
    assert (families["Fatshedera"], families["Carica"]) == ("Araliaceae", "Caricaceae")


def test_a_users_table_that_is_changed_is_read_anew(table: Path) -> None:
    table.write_text("genus,family\nNosuchgenus,Firstaceae\n", "utf-8")
    assert load_families(table)["Nosuchgenus"] == "Firstaceae"
    table.write_text("genus,family\nNosuchgenus,Secondaceae\n", "utf-8")
    assert load_families(table)["Nosuchgenus"] == "Secondaceae"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "line 1: there is no column 'genus'"),
        (b"genus/family\nRosa/Rosaceae\n", "line 1: there is no column 'genus'; .* commas"),
        (b"genus,familia\nRosa,Rosaceae\n", "line 1: there is no column 'family'"),
        (b"genus,family\n\nRosa\n", "line 3: .* as many fields .*: 1, not 2"),
        (b"genus,family\nRosa,Rosaceae,L.\n", "line 2: .* as many fields .*: 3, not 2"),
        (b"genus,family\r\n\r\nRosa, \r\n", "line 3: the line lacks a genus or its family"),
        (b"genus,family\n,Rosaceae\n", "line 2: the line lacks a genus or its family"),
        (b"genus,family\nRosa canina,Rosaceae\n", "line 2: 'Rosa canina' is more than the name"),
        (b"genus,family\n12,Rosaceae\n", "line 2: '12' is not a scientific name"),
        (
            b"genus,family\nRosa,Rosaceae\nMalus,Rosaceae\nRosa,Malvaceae\n",
            "line 4: Rosa is in Rosaceae by an earlier line, not Malvaceae",
        ),
        (b'genus,family\nMalus,Rosaceae\n"Rosa,Rosaceae\nPyrus,Rosaceae\n', "line 3"),
        (b"genus,family\nRosa,Rosac\xe9es\n", "line 2: not UTF-8"),
        (b"\xef\xbb\xbfgenus,family\nRosa,Rosaceae\n\xe9\n", "line 3: not UTF-8"),
    ],
)
def test_a_fault_in_a_users_table_is_told_with_file_and_line(
    table: Path, content: bytes, fault: str
) -> None:
    table.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"my families\.csv, {fault}") as caught:
        load_families(table)
    assert caught.value.field == "families"


def test_a_users_table_that_is_missing_or_a_folder_is_named(table: Path) -> None:
    with pytest.raises(SettingsError, match=r"my families\.csv, .* cannot be read: No such file"):
        load_families(table)
    table.mkdir()
    with pytest.raises(SettingsError, match=r"my families\.csv, .* cannot be read: Is a directory"):
        load_families(table)


def test_the_table_that_all_share_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        load_families()["Rosa"] = "Malvaceae"  # type: ignore[index]


def test_the_table_agrees_with_the_starter_model() -> None:
    starter = Path(plant_classification.__file__).parent / "models" / "starter" / "labels.csv"
    families = load_families()
    labels = read_labels(starter.read_text("utf-8"), "labels.csv")
    known = [label for label in labels if label.genus in families]
    assert len(known) > 90
    assert [label for label in known if families[label.genus] != label.family] == []
