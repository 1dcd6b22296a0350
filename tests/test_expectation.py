"""Species lists and prior.csv in an answer: what is possible, how common, and what is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plant_classification import Classifier
from plant_classification.errors import ArgumentError, ModelFolderError
from plant_classification.settings import load_settings


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def starter(models_dir: Path) -> Classifier:
    return Classifier.load("starter", "f32", load_settings(models_dir=models_dir))


def shares(classifier: Classifier, photo: Path, **asked: Any) -> dict[str, float]:
    answer = classifier.identify(photo, top_k=len(classifier.labels), **asked)
    return {candidate.label.name: candidate.probability for candidate in answer.candidates}


def test_only_what_is_on_the_list_is_possible_and_keeps_its_odds(
    starter: Classifier, models_dir: Path, flower: Path
) -> None:
    everything = shares(starter, flower)
    chosen = [name for name in everything if not name.endswith("sp.")][3:6]
    (models_dir / "my garden.txt").write_text("\n".join(chosen), "utf-8")
    answer = starter.identify(flower, species_list="my garden")
    names = {candidate.label.name for candidate in answer.candidates}
    assert names >= set(chosen)
    assert {taxon.name for taxon in answer.genera} == {name.split()[0] for name in names}
    listed = shares(starter, flower, species_list="my garden")
    assert sum(listed.values()) == pytest.approx(1)
    total = sum(everything[name] for name in listed)
    assert listed == pytest.approx({name: everything[name] / total for name in listed})
    assert "may be none of its species" in answer.warnings[0]


def test_where_the_photo_looks_like_nothing_on_the_list_nothing_is_safe(
    starter: Classifier, tmp_path: Path, flower: Path
) -> None:
    (tmp_path / "list.txt").write_text("Adenium obesum", "utf-8")
    answer = starter.identify(flower, species_list=tmp_path / "list.txt", confidence=0.5)
    assert answer.candidates[0].probability == pytest.approx(1)
    assert answer.safe_answer.name is None
    assert "nothing is safe" in answer.warnings[0]


def test_a_list_may_be_a_file_anywhere(starter: Classifier, tmp_path: Path, flower: Path) -> None:
    (tmp_path / "dahlias.txt").write_text("Dahlia pinnata\n", "utf-8")
    answer = starter.identify(flower, species_list=tmp_path / "dahlias.txt")
    assert {candidate.label.genus for candidate in answer.candidates} == {"Dahlia"}
    assert answer.candidates[0].probability == pytest.approx(1)


def test_a_list_that_changes_is_read_again(
    starter: Classifier, models_dir: Path, flower: Path
) -> None:
    path = models_dir / "garden.txt"
    found = []
    for genus in ("Dahlia", "Rosa"):
        path.write_text(genus, "utf-8")
        answer = starter.identify(flower, species_list="garden")
        found.append(answer.candidates[0].label.genus)
    assert found == ["Dahlia", "Rosa"]


@pytest.mark.parametrize(
    ("species_list", "sentence"),
    [
        ("park", r"There is no species list 'park'\. There are: garden\."),
        ("../garden", r"must be the name of a list.*not '\.\./garden'"),
        ("", r"must be the name of a list"),
        (Path("/nowhere/garden.txt"), r"There is no species list '/nowhere/garden\.txt'\."),
        ("garden", r"garden\.txt names what the model does not know, line 1: 'Rossa canina'"),
    ],
)
def test_a_list_that_cannot_be_used_is_told_before_a_photo_is_read(
    starter: Classifier, models_dir: Path, species_list: Any, sentence: str
) -> None:
    (models_dir / "garden.txt").write_text("Rossa canina\n", "utf-8")
    with pytest.raises(ArgumentError, match=sentence) as caught:
        starter.identify(b"no photo", species_list=species_list)
    assert caught.value.field == "species_list"


def test_a_list_that_is_no_text_is_told(starter: Classifier, models_dir: Path) -> None:
    (models_dir / "garden.txt").write_bytes("Rösa canina".encode("latin-1"))
    with pytest.raises(ArgumentError, match=r"garden\.txt, line 1: not UTF-8"):
        starter.identify(b"no photo", species_list="garden")


def test_a_prior_changes_the_odds_and_a_strong_photo_wins(
    starter: Classifier, models_dir: Path, flower: Path
) -> None:
    before = shares(starter, flower)
    first, second = list(before)[:2]
    (models_dir / "prior.csv").write_text(
        f"species,weight,region\n{second},9,hills\n{first},1,hills\n{first},9,coast\n"
        f"{second},5,islands\n",
        "utf-8",
    )
    hills = shares(starter, flower, region="hills")
    assert hills[second] / hills[first] == pytest.approx(9 * before[second] / before[first])
    coast = shares(starter, flower, region="coast")
    assert coast[second] / coast[first] == pytest.approx(before[second] / before[first] / 20)
    anywhere = shares(starter, flower)
    assert anywhere == pytest.approx(before)
    assert sum(hills.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("asked", "field", "sentence"),
    [
        ({"region": "moon"}, "region", r"that prior\.csv names \(hills\), not 'moon'"),
        ({"month": 13}, "month", "month must be a number from 1 to 12, not 13"),
        ({"month": "3"}, "month", "month must be a number from 1 to 12, not '3'"),
        ({"month": True}, "month", "month must be a number from 1 to 12, not True"),
        ({"month": 1}, "month", "no species of this model for that region and month"),
    ],
)
def test_a_region_or_month_that_the_prior_does_not_know_is_told(
    starter: Classifier, models_dir: Path, asked: dict[str, Any], field: str, sentence: str
) -> None:
    (models_dir / "prior.csv").write_text("species,weight,region,month\nRosa,1,hills,6\n", "utf-8")
    with pytest.raises(ArgumentError, match=sentence) as caught:
        starter.identify(b"no photo", **asked)
    assert caught.value.field == field


@pytest.mark.parametrize("asked", [{"region": "hills"}, {"month": 3}])
def test_a_region_or_month_without_a_prior_is_told(
    starter: Classifier, asked: dict[str, Any]
) -> None:
    with pytest.raises(ArgumentError, match=r"needs a prior\.csv in the models folder"):
        starter.identify(b"no photo", **asked)


def test_a_prior_with_a_fault_is_the_fault_of_who_runs_it(
    starter: Classifier, models_dir: Path
) -> None:
    (models_dir / "prior.csv").write_text("species,weight\nRosa,many\n", "utf-8")
    with pytest.raises(ModelFolderError, match=r"prior\.csv, line 2: weight must be a number"):
        starter.identify(b"no photo")
