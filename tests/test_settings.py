"""Settings: config.yaml < a file < environment < arguments."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from plant_classification.errors import SettingsError
from plant_classification.settings import TRAINING, Settings, load_settings


def test_the_file_in_etc_holds_every_setting_with_its_default() -> None:
    path = Path(__file__).parents[1] / "etc/config.yaml"
    names = {field.name for field in dataclasses.fields(Settings)}
    assert set(yaml.safe_load(path.read_text("utf-8"))) == names | {TRAINING}


def test_later_sources_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("max_photos: 3\nmin_side: 20\nthreads: 2\n")
    monkeypatch.setenv("PLANT_CLASSIFICATION_CONFIG", str(config))
    monkeypatch.setenv("PLANT_CLASSIFICATION_MIN_SIDE", "24")
    monkeypatch.setenv("PLANT_CLASSIFICATION_THREADS", "4")
    settings = load_settings(threads=1, precision=None)
    assert (settings.max_photos, settings.min_side, settings.threads) == (3, 24, 1)
    assert settings.precision == "auto"


def test_a_list_in_the_environment_may_be_yaml_or_names_parted_by_commas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLANT_CLASSIFICATION_MODELS_DIR", "/models #1")
    monkeypatch.setenv("PLANT_CLASSIFICATION_URL_HOSTS", "[a.example, b.example]")
    monkeypatch.setenv("PLANT_CLASSIFICATION_URL_PRIVATE_HOSTS", "127.0.0.1:80,h:81")
    settings = load_settings()
    assert settings.url_hosts == ("a.example", "b.example")
    assert settings.url_private_hosts == ("127.0.0.1:80", "h:81")
    assert settings.models_dir == Path("/models #1")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("max_photo: 3", "'max_photo', which is no setting; there are: models_dir"),
        ("max_photos: none", "max_photos to 'none'; it must be a whole number from 1 up"),
        ("max_photos: 0", "a whole number from 1 up"),
        ("max_photos: true", "a whole number from 1 up"),
        ("url_seconds: -1", "a number of seconds above 0"),
        ("deadline_seconds: .inf", "a number of seconds above 0, at most 86400"),
        ("deadline_seconds: 0", "a number of seconds above 0"),
        ("models_dir: ~nobody-of-this-name/models", "a folder without '~'"),
        ("models_dir: 2024-13-45", "is not YAML"),
        ("allow_urls: 1", "true or false"),
        ("precision: f16", "one of auto, f32, bf16"),
        ("url_hosts: 3", "a list of names"),
        ("models_dir: 3", "a folder"),
        ("- a", "lines of the form 'key: value'"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, sentence: str
) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(content)
    monkeypatch.setenv("PLANT_CLASSIFICATION_CONFIG", str(config))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert sentence in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_CLASSIFICATION_CONFIG", "/nowhere/mine.yaml")
    with pytest.raises(SettingsError, match=r"/nowhere/mine.yaml cannot be read"):
        load_settings()


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_CLASSIFICATION_THREADS", "many")
    with pytest.raises(SettingsError, match="PLANT_CLASSIFICATION_THREADS sets threads to 'many'"):
        load_settings()


def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_CLASSIFICATION_ALLOW_URL", "false")
    with pytest.raises(SettingsError, match=r"ALLOW_URL sets 'allow_url', which is no setting"):
        load_settings()


def test_the_options_of_a_training_are_none_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLANT_CLASSIFICATION_TRAINING", "{epochs: 3}")
    with pytest.raises(SettingsError, match=r"_TRAINING sets 'training', which is no setting"):
        load_settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_settings().threads = 3  # type: ignore[misc]
