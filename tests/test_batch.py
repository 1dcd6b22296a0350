"""Many photos through the engine, with the starter model and real photos."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_photos import encode
from numpy.typing import NDArray
from PIL import Image

from plant_classification import Classifier
from plant_classification.data import Records
from plant_classification.errors import ModelFolderError
from plant_classification.inference import batch
from plant_classification.inference.batch import look, look_at_views
from plant_classification.inference.engine import Engine
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.models.folder import NETWORK
from plant_classification.processes import processors
from plant_classification.settings import Settings

RULE = Classifier.load().folder.preprocessing


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(STARTER_FOLDER / NETWORK, RULE, "f32", for_many=True)


def of_paths(folder: Path, names: list[str]) -> Records:
    return Records(folder, names, np.zeros(len(names), np.int32))


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory, flower: Path) -> Records:
    """The flower in 24 sizes and turns, no two alike."""
    folder = tmp_path_factory.mktemp("turned")
    with Image.open(flower) as image:
        for number in range(24):
            side = 400 - 7 * number
            changed = image.resize((side, side)).rotate(15 * number)
            (folder / f"{number}.jpg").write_bytes(encode(changed, "JPEG"))
    return of_paths(folder, [f"{number}.jpg" for number in range(24)])


def test_photos_are_seen_in_order_and_as_one_at_a_time(
    engine: Engine, turned: Records, settings: Settings
) -> None:
    looks = look(engine, RULE, turned, settings)
    alone = Classifier.load("starter", precision="f32")
    for index in range(len(turned)):
        with Image.open(turned.path(index)) as image:
            pixels = np.asarray(image)[np.newaxis]
        np.testing.assert_allclose(looks.logits[index], alone.logits(pixels)[0], atol=1e-4)
        np.testing.assert_allclose(looks.features[index], alone.embed(pixels)[0], atol=1e-4)
    assert looks.readable.all()
    assert len(np.unique(looks.logits[:, 0])) == len(turned)


def test_the_same_photos_get_the_same_numbers_whatever_is_beside_them(
    engine: Engine, turned: Records, settings: Settings
) -> None:
    first = look(engine, RULE, turned, settings)
    backwards = turned.take(np.arange(len(turned))[::-1])
    again = look(engine, RULE, backwards, settings)
    np.testing.assert_array_equal(first.logits, again.logits[::-1])


def test_a_photo_that_cannot_be_read_is_told_and_the_others_are_seen(
    engine: Engine, flower: Path, settings: Settings, tmp_path: Path
) -> None:
    content = flower.read_bytes()
    (tmp_path / "good.jpg").write_bytes(content)
    (tmp_path / "cut.jpg").write_bytes(content[:1000])
    (tmp_path / "text.jpg").write_text("no picture")
    names = ["cut.jpg", "good.jpg", "text.jpg", "nowhere.jpg", "good.jpg"]
    looks = look(engine, RULE, of_paths(tmp_path, names), settings)
    assert [index for index, _ in looks.faults] == [0, 2, 3]
    for (_, sentence), word in zip(looks.faults, ("damaged", "picture", "exist"), strict=True):
        assert word in sentence
    np.testing.assert_array_equal(looks.readable, [False, True, False, False, True])
    assert not looks.logits[0].any()
    np.testing.assert_array_equal(looks.logits[1], looks.logits[4])


def test_no_photos_have_no_looks(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    looks = look(engine, RULE, of_paths(tmp_path, []), settings)
    assert looks.logits.shape == (0, engine.label_count)
    assert looks.features.shape == (0, engine.feature_count)


def test_each_view_of_a_photo_has_its_number(
    engine: Engine, turned: Records, settings: Settings
) -> None:
    seen: dict[tuple[int, int], NDArray[np.float32]] = {}

    def views(index: int, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        served = RULE.apply(pixels)
        return np.concatenate([served, served[:, :, ::-1]])

    def take(index: int, view: int, logits: NDArray[np.float32], _: NDArray[np.float32]) -> None:
        seen[index, view] = logits.copy()

    told: list[tuple[int, int]] = []
    few = turned.take(range(6))
    look_at_views(
        engine, RULE, few, settings, views, take, lambda done, total: told.append((done, total))
    )
    assert sorted(seen) == [(index, view) for index in range(6) for view in range(2)]
    served = look(engine, RULE, few, settings).logits
    for index in range(6):
        np.testing.assert_array_equal(seen[index, 0], served[index])
        assert np.abs(seen[index, 1] - served[index]).max() > 1e-3
    assert told == [(done, 6) for done in range(1, 7)]


def test_photos_are_decoded_only_a_little_ahead(
    engine: Engine, flower: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "WAITING", 2)
    lock, made, done, ahead = threading.Lock(), 0, 0, 0

    def views(_index: int, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        nonlocal made, ahead
        with lock:
            made += 1
            ahead = max(ahead, made - done)
        return RULE.apply(pixels)

    def take(*_: Any) -> None:
        nonlocal done
        with lock:
            done += 1

    count = 40 * processors()
    records = of_paths(flower.parent, [flower.name] * count)
    look_at_views(engine, RULE, records, settings, views, take)
    assert done == count
    assert ahead <= 10 * processors()


@pytest.mark.parametrize("where", ["views", "take", "tell"])
def test_an_error_ends_it_and_the_engine_goes_on(
    engine: Engine, turned: Records, settings: Settings, where: str
) -> None:
    def fail(*_: Any) -> Any:
        raise KeyError(where)

    calls: dict[str, Any] = {
        "views": lambda _, pixels: RULE.apply(pixels),
        "take": lambda *_: None,
        "tell": lambda *_: None,
    }
    with pytest.raises(KeyError, match=where):
        look_at_views(engine, RULE, turned, settings, **calls | {where: fail})
    assert look(engine, RULE, turned.take([0]), settings).readable.all()


def test_a_network_that_answers_with_nan_is_refused(tmp_path: Path) -> None:
    content = bytearray((STARTER_FOLDER / NETWORK).with_suffix(".bin").read_bytes())
    content[-4:] = b"\xff\x7f" * 2  # two numbers of the last layer become NaN
    (tmp_path / NETWORK).write_bytes((STARTER_FOLDER / NETWORK).read_bytes())
    (tmp_path / NETWORK).with_suffix(".bin").write_bytes(content)
    with pytest.raises(ModelFolderError, match="network answers with NaN or infinity"):
        Engine(tmp_path / NETWORK, RULE, "f32", for_many=True)


def test_an_engine_for_one_photo_sees_many_too(turned: Records, settings: Settings) -> None:
    one = Engine(STARTER_FOLDER / NETWORK, RULE, "f32")
    many = Engine(STARTER_FOLDER / NETWORK, RULE, "f32", for_many=True)
    few = turned.take(range(4))
    np.testing.assert_allclose(
        look(one, RULE, few, settings).logits, look(many, RULE, few, settings).logits, atol=1e-4
    )


@pytest.mark.slow
def test_the_process_ends_in_order_after_many_looks(turned: Records) -> None:
    code = """
import sys
import numpy as np
from pathlib import Path
from plant_classification import Classifier
from plant_classification.data import Records
from plant_classification.inference.batch import look
from plant_classification.inference.engine import Engine
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.settings import load_settings

rule, settings = Classifier.load().folder.preprocessing, load_settings()
root = Path(sys.argv[1])
records = Records(root, [path.name for path in root.iterdir()], np.zeros(24, np.int32))
for _ in range(3):
    engine = Engine(STARTER_FOLDER / "network.xml", rule, for_many=True)
    assert look(engine, rule, records, settings).readable.all()
    del engine
"""
    for _ in range(3):
        command = [sys.executable, "-c", code, str(turned.root)]
        subprocess.run(command, check=True, timeout=120, capture_output=True)
