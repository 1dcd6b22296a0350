from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plant_classification.errors import ArgumentError
from plant_classification.models import write_model_folder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label
from plant_classification.training.config import load_training_config
from plant_classification.training.start import Start, find_start


def start(settings: Settings, **options: Any) -> Start:
    return find_start(load_training_config(("the test", options))[0], settings)


def test_by_default_it_is_xception_with_the_weights_of_imagenet(settings: Settings) -> None:
    found = start(settings)
    assert (found.architecture, found.words, found.model) == ("xception", "imagenet", None)
    assert found.preprocessing.size == 299
    assert found.is_imagenet


def test_in_fast_mode_imagenet_means_the_smallest_network(settings: Settings) -> None:
    assert start(settings, mode="fast").architecture == "efficientnet_lite0"


def test_the_old_services_names_of_networks_are_known(settings: Settings) -> None:
    assert start(settings, modelname="NASNetMobile").architecture == "nasnetmobile"


def test_the_starter_gives_its_network_and_its_rule_for_photos(settings: Settings) -> None:
    found = start(settings, init="starter", mode="fast")
    assert found.model is not None
    assert found.model.path == STARTER_FOLDER
    assert found.preprocessing == found.model.preprocessing
    assert found.words == f"starter {found.model.version}"
    assert not found.is_imagenet


def test_a_model_is_found_by_its_name_and_by_its_folder(settings: Settings, tmp_path: Path) -> None:
    settings.models_dir.mkdir()
    (settings.models_dir / "mine").symlink_to(STARTER_FOLDER)
    by_name = start(settings, init="mine")
    by_folder = start(settings, init=str(STARTER_FOLDER))
    assert by_name.model is not None
    assert by_folder.model is not None
    assert by_name.model.version == by_folder.model.version


def test_a_file_of_weights_is_known_by_what_is_in_it(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "weights.h5"
    file.write_bytes(b"once")
    once = start(settings, init=str(file))
    assert once.is_imagenet
    assert start(settings, init=str(file)).words == once.words
    file.write_bytes(b"twice")
    assert start(settings, init=str(file)).words != once.words


def test_the_size_and_the_means_can_be_others(settings: Settings) -> None:
    rule = start(settings, init="none", modelname="VGG16", image_size=96, mean_RGB=[1, 2, 3])
    assert rule.preprocessing.size == 96
    assert rule.preprocessing.mean == (3, 2, 1)  # VGG takes blue first
    assert rule.preprocessing.channels == "BGR"


@pytest.mark.parametrize(
    ("options", "field", "rule"),
    [
        ({"init": "nothing-like-it"}, "init", "There is no model 'nothing-like-it'"),
        ({"init": "./nowhere"}, "init", "is not a model folder"),
        ({"init": "nowhere.h5"}, "init", "does not exist"),
        ({"init": "none", "mode": "fast"}, "init", "Fast mode trains the head alone"),
        ({"modelname": "ResNet51"}, "modelname", "There is no architecture 'resnet51'"),
        ({"init": "starter", "modelname": "Xception"}, "modelname", "but starter is a effi"),
        ({"init": "starter", "mode": "fast", "image_size": 96}, "mode", "leave them out"),
        ({"image_size": 40}, "image_size", "at least 71 for xception, not 40"),
    ],
)
def test_what_contradicts_itself_or_is_not_there_is_refused(
    options: dict[str, Any], field: str, rule: str, settings: Settings
) -> None:
    with pytest.raises(ArgumentError, match=rule) as refused:
        start(settings, **options)
    assert refused.value.field == field


def test_a_model_without_weights_for_keras_can_be_used_in_fast_mode_alone(
    settings: Settings,
) -> None:
    write_model_folder(
        settings.models_dir / "old",
        architecture="mobilenet",
        preprocessing=Preprocessing(32),
        labels=[Label("Rosa sp.", None, "Rosa")],
        training={},
        metrics={},
        files={name: STARTER_FOLDER / name for name in ("network.xml", "network.bin")},
    )
    assert start(settings, init="old", mode="fast").architecture == "mobilenet"
    with pytest.raises(ArgumentError, match="has no weights for Keras"):
        start(settings, init="old")
