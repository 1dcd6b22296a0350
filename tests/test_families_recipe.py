"""How the package's table of families is made."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from plant_classification.taxonomy.families import FAMILIES
from recipes import families


def test_the_recipe_makes_the_table_that_the_package_carries(shared: Path, tmp_path: Path) -> None:
    output = tmp_path / "families.csv"
    done = CliRunner().invoke(families.main, ["--output", str(output)])
    assert done.exit_code == 0, done.output
    assert "1498 genera" in done.output
    assert output.read_bytes() == FAMILIES.read_bytes()


def test_the_table_names_each_genus_once_in_alphabetical_order() -> None:
    header, *lines = FAMILIES.read_text("utf-8").splitlines()
    assert header == "genus,family"
    genera = [line.split(",")[0] for line in lines]
    assert genera == sorted(set(genera))
    assert len(genera) == 1498


def test_a_table_has_a_line_for_each_genus() -> None:
    names = {"Rosaceae": ["Rosa canina L.", "Malus domestica", "Rosa x alba"],
             "Poaceae": ["x Triticosecale rimpaui Wittm."]}  # fmt: skip
    assert families.compile_table(names, {}) == (
        "genus,family\nMalus,Rosaceae\nRosa,Rosaceae\nTriticosecale,Poaceae\n"
    )


def test_a_genus_is_put_where_the_corrections_have_it_if_they_know_where_it_was() -> None:
    names = {"Caprifoliaceae": ["Carica papaya L."]}
    table = families.compile_table(names, {"Carica": ("Caprifoliaceae", "Caricaceae")})
    assert table == "genus,family\nCarica,Caricaceae\n"
    with pytest.raises(click.ClickException, match="Carica is corrected, but was not published in"):
        families.compile_table(names, {"Carica": ("Rosaceae", "Caricaceae")})


def test_a_genus_with_two_families_is_refused_by_name() -> None:
    names = {"Rosaceae": ["Rosa canina L."], "Malvaceae": ["Malva alcea", "Rosa gallica"]}
    with pytest.raises(click.ClickException, match="Rosa has two families: Rosaceae and Malvaceae"):
        families.compile_table(names, {})


def test_a_name_without_a_genus_is_refused_with_its_family() -> None:
    with pytest.raises(click.ClickException, match="Rosaceae: '12' is not a scientific name"):
        families.compile_table({"Rosaceae": ["12"]}, {})


def test_without_the_shared_data_the_recipe_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANT_SHARED", str(tmp_path))
    output = tmp_path / "families.csv"
    done = CliRunner().invoke(families.main, ["--output", str(output)])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert f"{tmp_path}/data/heredia2017/families.json is missing" in done.output
    assert not output.exists()
