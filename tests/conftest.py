"""What tests share: the folder of shared data, and real photos that come with packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from plant_classification import Answer, Classifier
from plant_classification.settings import Settings, load_settings
from recipes.shared_data import shared_folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared data and fixtures, which the repository does not hold."""
    folder = shared_folder()
    if not (folder / "data").is_dir():
        pytest.skip(f"shared data are missing: {folder} (set PLANT_SHARED)")
    return folder


@pytest.fixture(scope="session")
def flower() -> Path:
    """A dahlia by vultilion (CC BY 2.0), which scikit-learn carries as flower.jpg: 640x427."""
    from sklearn import datasets

    return Path(datasets.__file__).parent / "images" / "flower.jpg"


@pytest.fixture(scope="session")
def named(flower: Path) -> Answer:
    """What the starter says of the flower: other ways to ask must say the same."""
    return Classifier.load("starter").identify(flower)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The defaults, with a models folder of the test's own."""
    return load_settings(models_dir=tmp_path / "models")
