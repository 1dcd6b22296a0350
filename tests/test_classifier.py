"""The classifier in this process, with the starter model and real photos."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import math
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tiny_network import write_tiny_model

from plant_classification import Classifier, PlantClassificationError
from plant_classification.errors import ArgumentError, ModelFolderError, UnknownModelError
from plant_classification.inference.engine import choose_precision
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.schemas import answer_fields
from plant_classification.settings import load_settings
from plant_classification.trust import PlausibleRule, TrustRules, of_photos


@pytest.fixture(scope="module")
def starter() -> Classifier:
    return Classifier.load("starter", precision="f32")


@pytest.fixture(scope="module")
def china() -> Path:
    """A temple in China (CC-BY), which scikit-learn carries as china.jpg: a 640x427 JPEG."""
    from sklearn import datasets

    return Path(datasets.__file__).parent / "images" / "china.jpg"


def test_no_species_is_safe_while_a_label_that_is_only_a_genus_is_more_probable(
    flower: Path,
) -> None:
    answer = Classifier.load("starter").identify(flower, confidence=0.01)
    assert answer.candidates[0].label.name == "Dahlia sp."
    assert answer.safe_answer.name == "Dahlia"


def test_a_dahlia_is_among_the_first_names(starter: Classifier, flower: Path) -> None:
    answer = starter.identify(flower)
    assert "Dahlia" in [candidate.label.genus for candidate in answer.candidates]
    assert "Dahlia" in [taxon.name for taxon in answer.genera]
    assert "Asteraceae" in [taxon.name for taxon in answer.families]


def test_in_the_processors_own_precision_it_is_the_same(starter: Classifier, flower: Path) -> None:
    classifier = Classifier.load()
    assert classifier.precision in ("bf16", "f32")
    first, same = (each.identify(flower).candidates[0] for each in (classifier, starter))
    assert first.label == same.label
    assert first.probability == pytest.approx(same.probability, abs=0.05)


def test_a_path_bytes_a_data_uri_and_an_array_get_the_same_answer(
    starter: Classifier, flower: Path
) -> None:
    content = flower.read_bytes()
    uri = "data:image/jpeg;base64," + base64.b64encode(content).decode()
    with Image.open(flower) as image:
        pixels = np.asarray(image.convert("RGB"))
    answers = [starter.identify(photo) for photo in (flower, str(flower), content, uri, pixels)]
    for answer in answers[1:]:
        assert answer.candidates == answers[0].candidates
    assert [answer.photos[0].format for answer in answers] == ["JPEG"] * 4 + ["RGB array"]
    assert answers[0].photos[0].sha256 == answers[3].photos[0].sha256


def test_the_same_photo_gets_the_same_answer_alone_and_in_a_batch(
    starter: Classifier, flower: Path, china: Path
) -> None:
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in (flower, china)])
    together = starter.logits(pixels)
    alone = np.concatenate([starter.logits(pixels[:1]), starter.logits(pixels[1:])])
    assert together.shape == (2, len(starter.labels))
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1


def test_many_threads_get_the_answers_of_one(
    starter: Classifier, flower: Path, china: Path
) -> None:
    photos = [flower, china] * 8
    one_by_one = [starter.identify(photo) for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(starter.identify, photos)) == one_by_one


def test_an_embedding_is_the_mean_of_the_last_feature_map(
    starter: Classifier, flower: Path
) -> None:
    pixels = np.asarray(Image.open(flower).convert("RGB"))[np.newaxis]
    embedding = starter.embed(pixels)
    assert embedding.shape == (1, 1280)
    assert embedding.dtype == np.float32
    assert np.isfinite(embedding).all()
    assert embedding.std() > 0


def test_a_large_jpeg_is_decoded_at_reduced_scale_and_gets_nearly_the_same_answer(
    starter: Classifier, flower: Path
) -> None:
    large = io.BytesIO()
    with Image.open(flower) as image:
        image.resize((2560, 1708)).save(large, "JPEG", quality=95)
    answer = starter.identify(large.getvalue())
    assert (answer.photos[0].width, answer.photos[0].height) == (2560, 1708)
    small = starter.identify(flower)
    assert answer.candidates[0].label == small.candidates[0].label
    assert abs(answer.candidates[0].probability - small.candidates[0].probability) < 0.1


@pytest.mark.parametrize("crops", [1, 5, 10])
def test_crops_are_deterministic(starter: Classifier, flower: Path, crops: int) -> None:
    first, second = (starter.identify(flower, crops=crops) for _ in range(2))
    assert first == second
    assert "Dahlia" in [candidate.label.genus for candidate in first.candidates]


def test_the_photos_of_an_observation_are_put_together(
    starter: Classifier, flower: Path, china: Path, tmp_path: Path
) -> None:
    def shares(photos: list[Path]) -> NDArray[np.float64]:
        answer = starter.identify(photos, top_k=len(starter.labels))
        named = {c.label.name: c.probability for c in answer.candidates}
        return np.array([named[label.name] for label in starter.labels])

    one, other = shares([flower]), shares([china])
    together = of_photos(np.stack([one, other]))
    np.testing.assert_allclose(shares([flower, china]), together, atol=1e-12)
    np.testing.assert_allclose(shares([china, flower]), together, atol=1e-12)
    alike = tmp_path / "alike.png"
    Image.open(flower).resize((800, 534)).save(alike)
    assert shares([flower, alike]).max() > one.max()


def test_probabilities_sum_to_one_over_all_labels_and_ranks(
    starter: Classifier, flower: Path
) -> None:
    answer = starter.identify(flower, top_k=1000)
    assert len(answer.candidates) == len(starter.labels)
    for group in (answer.candidates, answer.genera, answer.families):
        shares = [item.probability for item in group]
        assert math.isclose(sum(shares), 1, abs_tol=1e-6)
        assert shares == sorted(shares, reverse=True)
        assert all(0 <= share <= 1 for share in shares)


def test_what_is_promised_is_promised_of_one_photo_alone(
    starter: Classifier, flower: Path, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("Dahlia\n", "utf-8")
    larger = tmp_path / "larger.png"
    Image.open(flower).resize((800, 600)).save(larger)
    asked: list[tuple[list[Path], dict[str, Any]]] = [
        ([flower], {}),
        ([flower], {"confidence": 1.0}),
        ([flower, larger], {}),
        ([flower], {"species_list": tmp_path / "list.txt"}),
    ]
    said = [starter.identify(photos, **more).to_dict() for photos, more in asked]
    assert [answer["safe_answer"]["promised"] for answer in said] == [True, False, False, False]
    assert [answer["plausible"]["promised"] for answer in said] == [True, True, False, False]


def test_the_answer_as_json_has_every_field_and_no_nan(starter: Classifier, flower: Path) -> None:
    answer = starter.identify([flower, flower], ["flower", "auto"], top_k=3).to_dict()
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert answer.keys() == answer_fields().keys()
    assert list(answer) == [
        "status", "labels", "probabilities", "predictions", "results", "genera", "families",
        "safe_answer", "plausible", "is_plant", "rejected", "similar", "photos", "model",
        "warnings",
    ]  # fmt: skip
    assert answer["labels"] == answer["predictions"]["labels"]
    assert len(answer["results"]) == len(answer["labels"]) == 3
    assert [photo["organ"] for photo in answer["photos"]] == ["flower", "auto"]
    assert answer["safe_answer"].keys() == {"name", "rank", "probability", "confidence", "promised"}
    assert answer["plausible"]["coverage"] == 0.95
    assert answer["is_plant"]["binary"]
    assert answer["rejected"] is False
    assert answer["model"] == {
        "name": "starter",
        "architecture": starter.folder.architecture,
        "labels": 119,
        "version": starter.folder.version,
    }
    first = answer["results"][0]
    assert first["rank"] == 1
    assert first["common_names"]["en"]
    taxon = (first["species"] or first["genus"]).replace(" ", "_")
    assert first["links"]["wikipedia"] == f"https://en.wikipedia.org/wiki/{taxon}"


def test_the_plausible_set_holds_what_reaches_the_threshold_of_the_coverage(
    flower: Path, tmp_path: Path
) -> None:
    rule = PlausibleRule((0.8, 0.9), (0.9999, 0.0))
    classifier = Classifier.load(
        write_tiny_model(tmp_path / "tiny", trust=TrustRules(plausible=rule)).path
    )
    names = [candidate.label.name for candidate in classifier.identify(flower).candidates]

    def plausible(coverage: float) -> Any:
        return classifier.identify(flower, coverage=coverage).to_dict()["plausible"]

    assert plausible(0.8) == {"coverage": 0.8, "promised": True, "species": names[:1]}
    assert plausible(0.85) == {"coverage": 0.85, "promised": True, "species": names}
    assert plausible(0.95) is None


def test_the_plausible_set_of_a_photo_of_an_organ_is_that_of_the_organ(
    flower: Path, china: Path, tmp_path: Path
) -> None:
    of_all, of_leaves = (PlausibleRule((0.95,), (threshold,)) for threshold in (0.9999, 0.0))
    trust = TrustRules(plausible=of_all, organ_plausible={"leaf": of_leaves})
    classifier = Classifier.load(write_tiny_model(tmp_path / "tiny", trust=trust).path)

    def names(*organs: str) -> int:
        plausible = classifier.identify([flower, china][: len(organs)], organs).plausible
        return len(plausible.labels) if plausible else 0

    assert names("flower") == 1
    assert names("leaf") == len(classifier.labels)
    assert names("leaf", "leaf") == 1  # of several photos nothing is known by organ
    (alone, twice) = (classifier.identify([flower] * n, ["leaf"] * n).plausible for n in (1, 2))
    assert alone == twice


def test_a_photo_that_comes_twice_counts_once(
    starter: Classifier, flower: Path, china: Path
) -> None:
    """It says nothing new: else an answer would become surer with each copy."""
    once, twice = (starter.identify([*photos, china]) for photos in ([flower], [flower, flower]))
    assert twice.candidates == once.candidates
    assert twice.similar == once.similar
    assert [photo.name for photo in twice.photos] == ["flower.jpg", "flower.jpg", "china.jpg"]
    assert (
        "Photo 2 (flower.jpg) is the same as an earlier one, and does not count." in twice.warnings
    )


def test_a_small_photo_is_answered_with_a_warning(starter: Classifier, flower: Path) -> None:
    small = np.asarray(Image.open(flower).convert("RGB").resize((80, 60)))
    assert "small (80 x 60 pixels)" in starter.identify(small).warnings[0]
    assert starter.identify(flower).warnings == ()


@pytest.mark.parametrize(
    ("arguments", "field", "sentence"),
    [
        ({"photos": []}, "photos", "has 1 to 5 photos; 0 came"),
        ({"photos": [b""] * 6}, "photos", "has 1 to 5 photos; 6 came"),
        ({"organs": ["leaf", "leaf"]}, "organs", "2 came for 1 photos"),
        ({"organs": ["root"]}, "organs", "not 'root'"),
        ({"top_k": 0}, "top_k", "1 or more, not 0"),
        ({"crops": 3}, "crops", "1, 5 or 10, not 3"),
        ({"confidence": 0}, "confidence", "above 0 and at most 1"),
        ({"confidence": math.nan}, "confidence", "above 0 and at most 1"),
        ({"coverage": 1}, "coverage", "above 0 and below 1"),
        ({"coverage": math.nan}, "coverage", "above 0 and below 1"),
    ],
)
def test_a_wrong_argument_is_refused_before_any_photo_is_read(
    starter: Classifier, arguments: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(ArgumentError, match=sentence) as caught:
        starter.identify(**{"photos": ["nowhere.jpg"]} | arguments)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "photos",
    [
        np.zeros((224, 224, 3), np.uint8),
        np.zeros((1, 224, 224, 4), np.uint8),
        np.zeros((1, 224, 224, 3), np.float32),
        np.zeros((0, 224, 224, 3), np.uint8),
    ],
)
def test_an_array_of_another_form_is_refused(starter: Classifier, photos: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match=r"photos must be uint8 \(N, H, W, 3\)"):
        starter.logits(photos)


def test_a_model_is_loaded_by_name_or_folder(tmp_path: Path, flower: Path) -> None:
    settings = load_settings(models_dir=tmp_path)
    shutil.copytree(STARTER_FOLDER, tmp_path / "mine")
    for model in ("mine", tmp_path / "mine", f"{tmp_path}/mine/"):
        classifier = Classifier.load(model, settings=settings)
        assert classifier.folder.path == tmp_path / "mine"
    with pytest.raises(UnknownModelError, match="there are: mine, starter"):
        Classifier.load("other", settings=settings)
    with pytest.raises(ModelFolderError, match="not a model folder"):
        Classifier.load(tmp_path, settings=settings)


def rewritten(folder: Path, name: str, content: bytes, **changes: object) -> Path:
    """A copy of the starter with another file, whose size and checksum are right."""
    shutil.copytree(STARTER_FOLDER, folder)
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "model.json").read_text()) | changes
    digest = hashlib.sha256(content).hexdigest()
    manifest["files"][name] = {"bytes": len(content), "sha256": digest}
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder


def test_a_network_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = rewritten(tmp_path / "mine", "network.xml", b"<net/>")
    with pytest.raises(ModelFolderError, match=r"network\.xml cannot be used"):
        Classifier.load(folder)


def test_other_labels_than_outputs_are_refused(tmp_path: Path) -> None:
    folder = rewritten(tmp_path / "mine", "labels.csv", b"label\nRosa canina\n", labels=1)
    with pytest.raises(ModelFolderError, match=r"has 119 outputs for 1 labels"):
        Classifier.load(folder)


@pytest.mark.parametrize("name", ["network.bin", "network.xml", "labels.csv"])
def test_a_damaged_model_is_refused(tmp_path: Path, name: str) -> None:
    shutil.copytree(STARTER_FOLDER, tmp_path / "mine")
    content = bytearray((tmp_path / "mine" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "mine" / name).write_bytes(content)
    with pytest.raises(ModelFolderError, match=f"{name} is not the file"):
        Classifier.load(tmp_path / "mine")


def test_the_precision_is_the_processors_own_unless_asked_for() -> None:
    assert choose_precision("auto", ["FP32", "BF16"]) == "bf16"
    assert choose_precision("auto", ["FP32"]) == "f32"
    assert choose_precision("f32", ["FP32", "BF16"]) == "f32"
    with pytest.raises(ArgumentError, match="does not compute in bf16"):
        choose_precision("bf16", ["FP32"])
    with pytest.raises(ArgumentError, match="must be auto, f32 or bf16, not 'f16'"):
        choose_precision("f16", ["FP32"])


def test_an_answer_holds_no_pixels(starter: Classifier, flower: Path) -> None:
    for photo in starter.identify(flower).photos:
        assert not any(isinstance(value, np.ndarray) for value in dataclasses.astuple(photo))


def test_every_error_is_one_of_the_package(starter: Classifier) -> None:
    with pytest.raises(PlantClassificationError, match="does not exist"):
        starter.identify("nowhere.jpg")
