from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import plant_classification
from plant_classification.data.augmentation import Augmentation
from plant_classification.errors import ArgumentError, SettingsError
from plant_classification.training.config import (
    WITHOUT_PURPOSE,
    TrainingConfig,
    from_text,
    load_training_config,
    read_options,
    training_options,
)

OLD_OPTIONS = {
    "base_directory", "images_directory", "modelname", "image_size", "num_classes",
    "preprocess_mode", "mean_RGB", "std_RGB", "mode", "initial_lr", "batch_size", "epochs",
    "ckpt_freq", "lr_schedule_mode", "lr_step_decay", "lr_step_schedule", "l2_reg",
    "use_class_weights", "use_validation", "use_early_stopping", "use_multiprocessing",
    "use_tensorboard", "use_remote", "train_mode", "val_mode",
}  # fmt: skip


def test_every_option_of_the_old_service_is_known() -> None:
    assert set(training_options()) | set(WITHOUT_PURPOSE) >= OLD_OPTIONS


def test_the_file_and_the_fields_name_the_same_options() -> None:
    fields = [field.name for field in dataclasses.fields(TrainingConfig)]
    assert sorted(training_options()) == sorted(fields)


def test_the_defaults_can_be_used_and_read_back_as_they_are() -> None:
    config, warnings = load_training_config()
    assert warnings == ()
    assert config.train_mode == Augmentation(
        h_flip=0.5, v_flip=0.5, rot=0.7, rot_lim=90, zoom=0.2, blur=0.3, pixel_noise=0.3,
        pixel_sat=0.3, cutout=0.5,
    )  # fmt: skip
    assert load_training_config(("itself", config.to_dict()))[0] == config


def test_the_later_source_wins() -> None:
    config, _ = load_training_config(("a file", {"epochs": 3, "seed": 4}), ("--set", {"epochs": 5}))
    assert (config.epochs, config.seed) == (5, 4)


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.0e-3", "0.001"])
def test_a_number_may_have_an_exponent(text: str) -> None:
    config, _ = load_training_config(("--set", {"initial_lr": from_text(text)}))
    assert config.initial_lr == 0.001


def test_a_partial_augmentation_leaves_the_rest_out() -> None:
    config, _ = load_training_config(("--set", {"train_mode": {"h_flip": 1}}))
    assert config.train_mode == Augmentation(h_flip=1.0)
    assert load_training_config(("--set", {"train_mode": None}))[0].train_mode == Augmentation()


def test_what_has_no_purpose_now_is_accepted_with_a_warning() -> None:
    _, warnings = load_training_config(("a request", dict.fromkeys(WITHOUT_PURPOSE, True)))
    assert len(warnings) == len(WITHOUT_PURPOSE)
    assert warnings[0] == "ckpt_freq has no effect: a checkpoint is kept at each epoch."


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("epochs", 0, "a whole number from 1 to 10000"),
        ("epochs", True, "a whole number from 1 to 10000"),
        ("epochs", 2.0, "a whole number from 1 to 10000"),
        ("initial_lr", "fast", "a number from 0 to 10"),
        ("initial_lr", float("nan"), "a number from 0 to 10"),
        ("batch_size", "large", "a whole number from 1 to 4096, or auto"),
        ("mode", "slow", "one of normal, fast"),
        ("base_directory", None, "a text"),
        ("strict", 1, "true or false"),
        ("mean_RGB", [1, 2], "three numbers from 0 to 255, for red, green and blue"),
        ("std_RGB", [1, 2, 0], "three numbers above 0, at most 255, for red, green and blue"),
        ("lr_step_schedule", [0.9, 0.7], "a growing list of fractions between 0 and 1"),
        ("train_mode", "much", "probabilities by name, such as {h_flip: 0.5}, or empty for none"),
        ("train_mode", {"flip": 1}, "augmentations by name: 'flip' is no augmentation"),
        ("train_mode", {"rot": 2}, "augmentations by name: rot must be a number from 0 to 1"),
        ("train_mode", {"zoom": 1}, "augmentations by name: crop must be larger than zoom"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_rule(
    option: str, value: Any, rule: str
) -> None:
    with pytest.raises(ArgumentError) as refused:
        load_training_config(("--set", {option: value}))
    assert refused.value.message.startswith(f"--set sets {option} to {value!r}; it must be {rule}")
    assert refused.value.field == option


def test_an_option_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ArgumentError, match=r"mine.yaml sets 'lr', .*; there are: base_directory"):
        load_training_config(("mine.yaml", {"lr": 0.1}))


def test_a_name_that_cannot_be_a_folders_is_refused() -> None:
    with pytest.raises(ArgumentError, match="cannot be a model's name"):
        load_training_config(("--set", {"name": "../elsewhere"}))


@pytest.mark.parametrize("content", ["training:\n  epochs: 7\n", "epochs: 7\n"])
def test_a_file_holds_options_with_or_without_the_word_training(
    content: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    assert read_options(path) == {"epochs": 7}


def test_a_copy_of_the_packages_own_file_can_be_used() -> None:
    file = Path(plant_classification.__file__).with_name("config.yaml")
    assert load_training_config(("file", read_options(file))) == load_training_config()


def test_an_empty_file_holds_no_options(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.touch()
    assert read_options(path) == {}


@pytest.mark.parametrize("content", ["just words", "- a\n- list\n", "training: words\n"])
def test_a_file_of_another_form_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(ArgumentError, match="must hold lines of the form 'option: value'"):
        read_options(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none.yaml cannot be read"):
        read_options(tmp_path / "none.yaml")


def test_the_file_of_the_settings_may_hold_options_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("threads: 2\ntraining:\n  epochs: 9\n")
    monkeypatch.setenv("PLANT_CLASSIFICATION_CONFIG", str(path))
    assert load_training_config()[0].epochs == 9
    path.write_text("threads: 2\ntraining:\n")
    assert load_training_config()[0].epochs != 9


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.001", 0.001),
        ("3", 3),
        ("true", True),
        ("null", None),
        ("", None),
        ("Xception", "Xception"),
        ('"Xception"', "Xception"),
        ('{"h_flip": 0.5}', {"h_flip": 0.5}),
        ("[0.7, 0.9]", [0.7, 0.9]),
        ("{h_flip: [", "{h_flip: ["),
    ],
)
def test_a_value_is_read_as_people_type_it(text: str, value: Any) -> None:
    assert from_text(text) == value
