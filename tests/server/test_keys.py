"""API keys: made once, known by their hash alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from plant_classification.cli import cli
from plant_classification.errors import ArgumentError
from plant_classification.server.keys import add_key, owner_of, read_keys


def test_a_key_names_its_owner_and_is_not_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    first, second = add_key(file, "park"), add_key(file, "garden@example.org")
    keys = read_keys(file)
    assert (owner_of(first, keys), owner_of(second, keys)) == ("park", "garden@example.org")
    assert owner_of(first + "x", keys) is None
    assert owner_of("", keys) is None
    assert owner_of("\udcff", keys) is None
    assert first not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_two_keys_that_are_alike_have_different_lines(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    add_key(file, "a")
    add_key(file, "b")
    one, other = read_keys(file)
    assert one.salt != other.salt


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "park\nroot"])
def test_a_name_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArgumentError, match="A key's name has letters"):
        add_key(tmp_path / "keys", name)


def test_a_second_key_of_one_name_is_refused(tmp_path: Path) -> None:
    add_key(tmp_path / "keys", "park")
    with pytest.raises(ArgumentError, match="has a key named 'park' already"):
        add_key(tmp_path / "keys", "park")


def test_a_file_that_holds_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("\nsecret\n")
    with pytest.raises(ArgumentError, match=r"keys, line 2: this is no key"):
        read_keys(file)
    with pytest.raises(ArgumentError, match="line 2"):
        add_key(file, "park")
    assert file.read_text() == "\nsecret\n"
    with pytest.raises(ArgumentError, match="cannot be read"):
        read_keys(tmp_path / "missing")


def test_the_command_prints_the_key_alone_on_standard_output(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    result = CliRunner().invoke(cli, ["keys", "add", "park", "--api-keys", str(file)])
    assert owner_of(result.stdout.strip(), read_keys(file)) == "park"
    assert "only time" in result.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "no.such.host.invalid"])  # noqa: S104
def test_beyond_loopback_keys_are_asked_for_or_the_word_public(host: str) -> None:
    result = CliRunner().invoke(cli, ["serve", "--host", host])
    assert result.exit_code == 2
    assert "--api-keys FILE" in result.stderr
    assert "--public" in result.stderr


def test_keys_and_public_contradict_each_other(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["serve", "--public", "--api-keys", str(tmp_path / "keys")])
    assert result.exit_code == 2
    assert "leave out --api-keys or --public" in result.stderr
