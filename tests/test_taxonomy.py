"""Names, labels, and the sums over ranks."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest

from plant_classification.taxonomy import (
    Label,
    Name,
    label_of,
    parse_name,
    ranks_of,
    read_labels,
    remarks,
    write_labels,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Taraxacum officinale", Name("Taraxacum", "Taraxacum officinale")),
        (
            "Taraxacum officinale F.H.Wigg.",
            Name("Taraxacum", "Taraxacum officinale", author="F.H.Wigg."),
        ),
        ("Bellis perennis L.", Name("Bellis", "Bellis perennis", author="L.")),
        ("Rosa sp.", Name("Rosa", None)),
        ("Rosa", Name("Rosa", None)),
        ("Rosa L.", Name("Rosa", None, author="L.")),
        ("Mentha x piperita", Name("Mentha", "Mentha × piperita")),
        ("Mentha ×piperita L.", Name("Mentha", "Mentha × piperita", author="L.")),
        ("x Cuprocyparis leylandii", Name("Cuprocyparis", "× Cuprocyparis leylandii")),
        ("×Cuprocyparis", Name("Cuprocyparis", None)),
        (
            "Arum italicum x Arum maculatum",
            Name("Arum", "Arum italicum × Arum maculatum"),
        ),
        (
            "Brassica rapa subsp. oleifera (DC.) Metzg.",
            Name("Brassica", "Brassica rapa", "subsp. oleifera", "(DC.) Metzg."),
        ),
        (
            "Quercus robur L. var. fastigiata",
            Name("Quercus", "Quercus robur", "var. fastigiata", "L."),
        ),
        ("Salvia rosmarinus Spenn.", Name("Salvia", "Salvia rosmarinus", author="Spenn.")),
        ("Vicia faba L. f.", Name("Vicia", "Vicia faba", author="L. f.")),
        (
            "Capsella bursa-pastoris (L.) Medik.",
            Name("Capsella", "Capsella bursa-pastoris", author="(L.) Medik."),
        ),
        ("Taraxacum_officinale", Name("Taraxacum", "Taraxacum officinale")),
        ("  Bellis   perennis ", Name("Bellis", "Bellis perennis")),
        ("X Fatshedera lizei", Name("Fatshedera", "× Fatshedera lizei")),
        ("Mentha x", Name("Mentha", None)),
        ("Triticum x Secale", Name("Triticum", None)),
        (
            "Mentha × piperita x Mentha aquatica",
            Name("Mentha", "Mentha × piperita × Mentha aquatica"),
        ),
        (
            "Abies firma Hook. f. ex Benth.",
            Name("Abies", "Abies firma", author="Hook. f. ex Benth."),
        ),
        ("Rosa cf. canina", Name("Rosa", None)),
        ("Rosa hort. ex Baker", Name("Rosa", None, author="hort. ex Baker")),
        ("Rosa Étienne", Name("Rosa", None, author="Étienne")),
    ],
)
def test_a_name_is_parsed_into_genus_species_and_author(text: str, name: Name) -> None:
    assert parse_name(text) == name


@pytest.mark.parametrize("text", ["", "  ", "x", "123 abc", "× "])
def test_a_text_without_a_genus_is_not_a_name(text: str) -> None:
    with pytest.raises(ValueError, match="must begin with a genus"):
        parse_name(text)


@pytest.mark.parametrize(
    ("text", "genera"),
    [
        ("Rosa", ("Rosa",)),
        ("Mentha x piperita", ("Mentha",)),
        ("x Cuprocyparis leylandii", ("Cuprocyparis",)),
        ("Arum italicum x Arum maculatum", ("Arum",)),
        ("Arum italicum x A. maculatum", ("Arum",)),
        ("Arum italicum x maculatum", ("Arum",)),
        ("Gymnadenia nigra subsp. rhellicani x Pseudorchis albida", ("Gymnadenia", "Pseudorchis")),
    ],
)
def test_a_hybrid_formula_names_its_genera(text: str, genera: tuple[str, ...]) -> None:
    assert parse_name(text).genera == genera


def test_any_words_are_a_name_that_reads_the_same_again_or_no_name_at_all() -> None:
    words = ["Rosa", "x", "×", "canina", "L.", "f.", "ex", "var.", "sp.", "A.", "(L.)", "'K'", "1"]
    chance = random.Random(1)
    parsed = 0
    for _ in range(20_000):
        text = " ".join(chance.choices(words, k=chance.randint(1, 6)))
        try:
            name = parse_name(text)
        except ValueError:
            continue
        assert name.genera[0] == name.genus
        if name.species:
            parsed += 1
            assert parse_name(name.species) == Name(name.genus, name.species), text
    assert parsed > 900


def test_each_published_full_name_is_parted_into_species_and_author(shared: Path) -> None:
    published = json.loads((shared / "data/heredia2017/families.json").read_text("utf-8"))
    texts = [text for names in published.values() for text in names]
    assert len(texts) == 6182
    names = [parse_name(text) for text in texts]
    assert all(name.species and not name.infraspecific for name in names)
    parts = [" ".join(filter(None, (name.species, name.author))) for name in names]
    assert parts == [f" {text}".replace(" x ", " × ").strip() for text in texts]
    authors = [name.author for name in names if name.author]
    assert {author for author in authors if re.match(r"[a-z](?!')", author)} == {
        "hort. ex Baker",
        "hort. ex Chabaud",
        "sensu auct.Gall.",
        "sensu auct.plur.",
    }
    without = [text for text, name in zip(texts, names, strict=True) if not name.author]
    assert [text for text in without if " x " not in text] == [
        "Phlox drummondii",
        "Echium pininana",
    ]


def test_every_published_name_of_the_old_service_is_parsed(shared: Path) -> None:
    lines = (shared / "data/heredia2017/classes.txt").read_text("utf-8").splitlines()
    names = [parse_name(line) for line in lines]
    assert len(names) == 6182
    genera = {name.genus for name in names}
    assert all(genus.isalpha() or "-" in genus for genus in genera)
    assert {"Cuprocyparis", "Abies", "Arum"} <= genera | {"Cuprocyparis"}
    assert all(name.species and name.author is None for name in names)


def test_a_genus_form_label_has_no_species_and_is_right_at_the_genus() -> None:
    label = label_of("Rosa sp.", "Rosaceae")
    assert (label.species, label.genus, label.family, label.rank) == (
        None, "Rosa", "Rosaceae", "genus",
    )  # fmt: skip


def test_names_that_differ_in_spelling_alone_are_remarked_on() -> None:
    names = [
        "Rosa canina",
        "Rosa canina L.",
        "Mentha x piperita",
        "Mentha × piperita",
        "Rosa 'Peace'",
    ]
    (remark,) = remarks([label_of(name, "a family") for name in names])
    assert "Rosa canina = Rosa canina L., Mentha x piperita = Mentha × piperita;" in remark


def test_labels_are_read_back_as_they_were_written() -> None:
    labels = (
        Label("Rosa sp.", None, "Rosa", "Rosaceae", None, (("en", ("rose",)),)),
        Label(
            "Mentha x piperita", "Mentha × piperita", "Mentha", "Lamiaceae", "L.",
            (("de", ("Pfefferminze",)), ("en", ("peppermint", "mint, pepper"))),
        ),
        Label('Odd "name", quoted', "Odd name", "Odd", None, info="grey, or\nblue"),
        Label("Rosa sp.", None, "Rosa", "Rosaceae", info="the second"),
    )  # fmt: skip
    assert read_labels(write_labels(labels), "labels.csv") == labels


@pytest.mark.parametrize("info", ["a\rb", "a\r\nb", '"', "a\u2028b", " a ", "#", "'", "1,5;2"])
def test_an_info_with_odd_characters_is_read_back(info: str) -> None:
    labels = (Label("Rosa", None, "Rosa", info=info), Label("Malus", None, "Malus"))
    assert read_labels(write_labels(labels), "labels.csv") == labels


def test_labels_of_a_spreadsheet_are_read() -> None:
    text = "\ufefflabel,family\r\nBellis perennis,Asteraceae\r\n\r\n"
    assert read_labels(text, "labels.csv") == (label_of("Bellis perennis", "Asteraceae"),)


def test_a_bare_list_of_labels_is_enough() -> None:
    labels = read_labels("label\nBellis perennis L.\nRosa sp.\n", "labels.csv")
    assert [(label.species, label.genus, label.author) for label in labels] == [
        ("Bellis perennis", "Bellis", "L."),
        (None, "Rosa", None),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name\nBellis perennis\n", r"labels.csv, line 1: there is no column 'label'"),
        ("", r"labels.csv, line 1: there is no column 'label'"),
        ("label\n", "labels.csv holds no label"),
        (
            "label,family\nBellis perennis,Asteraceae\n,Rosaceae\n",
            r"labels.csv, line 3: .*no label",
        ),
        ("label\nBellis perennis\nRosa,too many\n", r"labels.csv, line 3"),
        ("label,species\nBellis perennis\n", r"labels.csv, line 2: .*as many fields"),
        ('label\n"Bellis perennis\n', r"labels.csv, line 2"),
        ("label\n123\n", r"labels.csv, line 2: '123' is not a scientific name"),
        ('label\n"Rosa\ncanina"\n123\n', r"labels.csv, line 4: '123' is not a scientific name"),
        ("label\nRosa\n\n\n123\n", r"labels.csv, line 5: '123' is not a scientific name"),
    ],
)
def test_a_fault_in_labels_is_named_with_file_and_line(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_labels(text, "labels.csv")


def test_rank_probabilities_are_sums_over_all_labels() -> None:
    labels = [
        label_of("Rosa canina", "Rosaceae"),
        label_of("Rosa sp.", "Rosaceae"),
        label_of("Malus domestica", "Rosaceae"),
        label_of("Bellis perennis"),
        label_of("Rosa canina subsp. vulgaris", "Rosaceae"),
    ]
    species, genus, family = ranks_of(labels)
    shares = np.array([[0.1, 0.2, 0.3, 0.3, 0.1], [1.0, 0.0, 0.0, 0.0, 0.0]])
    assert species.taxa == ("Rosa canina", "Malus domestica", "Bellis perennis")
    np.testing.assert_allclose(species.sum(shares), [[0.2, 0.3, 0.3], [1.0, 0.0, 0.0]])
    assert genus.taxa == ("Rosa", "Malus", "Bellis")
    np.testing.assert_allclose(genus.sum(shares), [[0.4, 0.3, 0.3], [1.0, 0.0, 0.0]])
    assert family.taxa == ("Rosaceae",)
    np.testing.assert_allclose(family.sum(shares[0]), [0.7])


def test_a_name_that_stands_twice_is_one_species_with_the_sum_of_both() -> None:
    species, _, _ = ranks_of([label_of("Rosa canina"), label_of("Rosa canina")])
    np.testing.assert_allclose(species.sum(np.array([0.25, 0.75])), [1.0])


def test_a_sum_over_labels_never_passes_one_by_rounding() -> None:
    species, _, _ = ranks_of([label_of("Rosa canina")] * 10)
    shares = np.random.default_rng(1).dirichlet(np.ones(10), 1000)
    assert sum(sum(row) > 1 for row in shares.tolist()) > 0
    assert species.sum(shares).max() == 1.0
