"""``plant-classification evaluate``: from photos or predictions to figures."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from drawn_plants import draw_plants
from tiny_network import write_tiny_model

from plant_classification import Classifier
from plant_classification.cli import cli
from plant_classification.trust import PlausibleRule, TrustRules
from plant_classification.trust.correctness import Correctness
from plant_classification.trust.safe_answer import SafeRule

Run = Callable[..., Result]

NAMES = {"Acer rubrum": "Rosa canina", "Bellis perennis": "Viola odorata", "Crocus vernus": "Zea"}
"""What the drawn plants are called here; the tiny model does not know the last one."""

BY_HEART = "If the model was trained on these photos, this says nothing: it knows them by heart."


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_tiny_model(tmp_path / "models/one", seed=1)
    write_tiny_model(tmp_path / "models/two", seed=2)
    return tmp_path / "models"


@pytest.fixture
def run(models: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PLANT_CLASSIFICATION_MODELS_DIR", str(models))
    monkeypatch.setenv("COLUMNS", "100")

    def command(*words: str | Path) -> Result:
        return CliRunner().invoke(cli, ["evaluate", *map(str, words)])

    return command


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of 24 photos, of two sources; four photos of a plant each."""
    draw_plants(tmp_path / "photos")
    path = tmp_path / "photos/photos.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "source", "observation"])
        for folder, name in NAMES.items():
            for number in range(8):
                source = "garden" if number % 2 else "wood"
                rows.writerow([f"{folder}/{number}.jpg", name, source, f"{name} {number // 4}"])
    return path


def answers(models: Path, model: str, photos: list[tuple[Path, str]], crops: int = 1) -> list[bool]:
    """Whether the served answer is right, photo by photo."""
    classifier = Classifier.load(models / model)
    found = (classifier.identify(path, crops=crops).candidates[0].label.name for path, _ in photos)
    return [name == truth for name, (_, truth) in zip(found, photos, strict=True)]


def known_photos(table: Path) -> list[tuple[Path, str]]:
    return [
        (table.parent / folder / f"{number}.jpg", name)
        for folder, name in NAMES.items()
        for number in range(8)
        if name != "Zea"
    ]


def as_json(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("crops", [1, 5])
def test_figures_are_those_of_the_served_answers(
    run: Run, models: Path, table: Path, crops: int
) -> None:
    found = as_json(run(table, "--model", "one", "--crops", str(crops), "--json"))
    right = answers(models, "one", known_photos(table), crops)
    assert found["photos"] == 16
    assert found["top_1"] == pytest.approx(sum(right) / 16)
    low, high = found["intervals"]["top_1"]
    assert 0 <= low <= found["top_1"] <= high <= 1
    wood = sum(right[::2]) / 8
    assert found["groups"]["source"]["wood"]["top_1"] == pytest.approx(wood)
    assert found["notes"] == [
        BY_HEART,
        "Photos of names that the model does not know, left out: 8, of Zea sp..",
    ]


def test_two_models_are_compared_photo_by_photo(run: Run, models: Path, table: Path) -> None:
    found = as_json(run(table, "--model", "one", "--against", "two", "--json"))
    one, two = (answers(models, name, known_photos(table)) for name in ("one", "two"))
    compared = found["compared"]
    assert compared["name"] == "two"
    assert compared["only_first"] == sum(a and not b for a, b in zip(one, two, strict=True))
    assert compared["only_second"] == sum(b and not a for a, b in zip(one, two, strict=True))
    assert compared["difference"] == pytest.approx((sum(one) - sum(two)) / 16)


def test_a_person_gets_a_table_and_a_report(run: Run, table: Path, tmp_path: Path) -> None:
    result = run(table, "--model", "one", "--against", "two", "--report", tmp_path / "report")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("one: 16 photos, 2 labels\n")
    for words in (
        "right at once",
        "95 % interval",
        "Source",
        "garden",
        "would differ as much",
        "Report: ",
    ):
        assert words in result.stdout
    written = json.loads((tmp_path / "report/evaluation.json").read_text("utf-8"))
    assert written["photos"] == 16
    page = (tmp_path / "report/report.html").read_text("utf-8")
    for words in ("By source", "Species by species", "Worst mistakes", "Risk and coverage"):
        assert words in page


def test_plausible_sets_are_judged_where_the_model_has_them(
    run: Run, models: Path, table: Path
) -> None:
    rule = PlausibleRule((0.8, 0.95), (1.0, 0.0))
    write_tiny_model(models / "sets", seed=1, trust=TrustRules(plausible=rule))
    sets = as_json(run(table, "--model", "sets", "--json"))["plausible"]
    one = as_json(run(table, "--model", "one", "--json"))
    assert sets["0.8"]["coverage"] == pytest.approx(one["top_1"])
    assert sets["0.8"]["size"] == 1
    assert (sets["0.95"]["coverage"], sets["0.95"]["size"]) == (1, 2)
    assert one["plausible"] is None
    assert "Plausible sets at 95%: 100.0% hold" in run(table, "--model", "sets").stdout


def test_safe_answers_are_judged_at_what_the_model_promises(
    run: Run, models: Path, table: Path
) -> None:
    unsure, sure = Correctness(0.0, 0.0, 0.0), Correctness(50.0, 0.0, 0.0)
    rule = SafeRule((unsure, unsure, sure), (0.8, 0.9), (0.0, 0.9))
    write_tiny_model(models / "safe", seed=1, trust=TrustRules(safe=rule))
    found = as_json(run(table, "--model", "safe", "--json"))
    assert set(found["safe"]) == {"0.8", "0.9"}
    assert found["safe"]["0.8"]["given"] == found["safe"]["0.9"]["given"] == 1
    assert found["safe"]["0.8"]["right"] == pytest.approx(found["top_1"])
    assert found["safe"]["0.9"]["right"] == pytest.approx(found["family_top_1"])
    low, high = found["safe"]["0.8"]["intervals"]["right"]
    assert low <= found["safe"]["0.8"]["right"] <= high
    assert as_json(run(table, "--model", "one", "--json"))["safe"] is None
    assert "Safe answers at 80%: 100.0% of the photos" in run(table, "--model", "safe").stdout


def test_names_that_are_joined_leave_the_safe_answers_as_they_are(
    run: Run, models: Path, table: Path
) -> None:
    by_logit = Correctness(0.0, 0.0, 1.0)
    rule = SafeRule((by_logit,) * 3, (0.8,), (0.6,))
    write_tiny_model(models / "safe", seed=1, trust=TrustRules(safe=rule))
    synonyms = table.parent / "synonyms.csv"
    synonyms.write_text("name,accepted\nViola odorata,Rosa canina\n")
    apart = as_json(run(table, "--model", "safe", "--json"))["safe"]["0.8"]
    joined = as_json(run(table, "--model", "safe", "--synonyms", synonyms, "--json"))["safe"]["0.8"]
    assert joined["given"] >= apart["given"] > 0


def test_an_unreadable_photo_is_left_out_and_told(run: Run, table: Path) -> None:
    (table.parent / "Acer rubrum/3.jpg").write_bytes(b"no picture")
    found = as_json(run(table, "--model", "one", "--json"))
    assert found["photos"] == 15
    assert "Photos that cannot be read, left out: 1." in found["notes"]


def test_test_photos_come_first_and_another_split_can_be_asked_for(
    run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "split"
    for split, photos in (("train", 6), ("val", 3), ("test", 2)):
        drawn = draw_plants(tmp_path / split, species=2, photos=photos)
        for plant in drawn.iterdir():
            target = folder / split / NAMES[plant.name]
            target.parent.mkdir(parents=True, exist_ok=True)
            plant.rename(target)
    found = {
        split: as_json(run(folder, "--model", "one", "--json", *split))
        for split in ((), ("--split", "val"), ("--split", "train"))
    }
    assert [one["photos"] for one in found.values()] == [4, 6, 12]
    assert [one["notes"] for one in found.values()] == [[], [], [BY_HEART]]


def test_without_splits_every_photo_is_judged(run: Run, tmp_path: Path) -> None:
    drawn = draw_plants(tmp_path / "plain", species=2)
    for plant in drawn.iterdir():
        plant.rename(drawn / NAMES[plant.name])
    found = as_json(run(drawn, "--model", "one", "--json"))
    assert found["photos"] == 16
    assert found["notes"] == [BY_HEART]
    fault = str(run(drawn, "--model", "one", "--split", "val").exception)
    assert fault.endswith("has no photos in val; it has some in train.")


def test_a_report_has_a_row_for_each_species_with_a_photo(run: Run, tmp_path: Path) -> None:
    drawn = draw_plants(tmp_path / "plain", species=1)
    (drawn / "Acer rubrum").rename(drawn / NAMES["Acer rubrum"])
    result = run(drawn, "--model", "one", "--report", tmp_path / "report")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report/report.html").read_text("utf-8")
    assert "Species that the model knows, without a photo here: 1." in page
    assert "Viola odorata" not in page.split("Species by species")[1].split("</table>")[0]


def test_predictions_need_no_model(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    path.write_text(
        '{"true_lab": ["Rosa canina", "Zea mays"], "pred_lab": [["Rosa canina"], ["Rosa canina"]], '
        '"pred_prob": [[0.9], [0.4]]}'
    )
    found = as_json(run(path, "--json"))
    assert (found["photos"], found["top_1"], found["top_5"]) == (2, 0.5, None)
    assert found["intervals"]["top_5"] is None
    same = as_json(run(path, "--against", path, "--json"))["compared"]
    assert (same["difference"], same["p_value"]) == (0, 1)


def test_of_photos_that_are_all_right_the_interval_is_wide(run: Run, tmp_path: Path) -> None:
    """And a column that only names each photo makes no groups."""
    path = tmp_path / "predictions.csv"
    rows = [f"Rosa canina,Rosa canina,0.9,{n}.jpg,{'ab'[n % 2]}\n" for n in range(60)]
    path.write_text("true_lab,pred_lab_1,pred_prob_1,photo,garden\n" + "".join(rows))
    found = as_json(run(path, "--json"))
    assert found["top_1"] == 1
    assert found["intervals"]["top_1"] == pytest.approx([0.940, 1], abs=1e-3)
    assert list(found["groups"]) == ["garden"]


def test_of_photos_without_a_family_nothing_is_said(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    rows = ["Ignota prima,Ignota prima,0.9,a\n"] * 30 + ["Rosa canina,Rosa canina,0.9,b\n"] * 3
    path.write_text("true_lab,pred_lab_1,pred_prob_1,garden\n" + "".join(rows))
    found = as_json(run(path, "--json"))
    assert found["family_top_1"] == 1
    assert found["intervals"]["family_top_1"] == pytest.approx([0.438, 1], abs=1e-3)
    of_unknown = found["groups"]["garden"]["a"]
    assert (of_unknown["family_top_1"], of_unknown["intervals"]["family_top_1"]) == (None, None)
    assert run(path).exit_code == 0


@pytest.mark.parametrize(
    ("option", "value"), [("--model", "one"), ("--split", "val"), ("--crops", "5")]
)
def test_options_of_a_model_are_refused_for_predictions(
    run: Run, tmp_path: Path, option: str, value: str
) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("true_lab,pred_lab_1,pred_prob_1\nRosa canina,Zea mays,0.9\n")
    result = run(path, option, value)
    assert result.exit_code == 2
    assert f"{option} is for photos, and DATA is a file of predictions" in result.output
    result = run(path, "--against", "one")
    assert "Predictions are compared with predictions, and one is no" in str(result.exception)


def test_a_file_whose_name_is_no_utf8_is_judged(run: Run, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"p\xe9.csv")
    path.write_text("true_lab,pred_lab_1,pred_prob_1\nRosa canina,Zea mays,0.9\n")
    result = run(path, "--json", "--report", tmp_path / "report")
    assert as_json(result)["name"] == r"p\xe9.csv"


def test_a_report_says_nothing_of_five_where_fewer_are_known(run: Run, tmp_path: Path) -> None:
    path, report = tmp_path / "predictions.csv", tmp_path / "report"
    path.write_text("true_lab,pred_lab_1,pred_prob_1\nRosa canina,Zea mays,0.9\n")
    assert run(path, "--report", report).exit_code == 0
    page = (report / "report.html").read_text("utf-8")
    assert "Species by species" in page
    assert "Among five" not in page


def test_files_that_write_a_name_differently_are_compared(run: Run, tmp_path: Path) -> None:
    """With its author, or by a synonym that the table of synonyms has."""
    for name, written in {"one": "Rosa canina", "two": "Rosa canina L.", "three": "Rosa x"}.items():
        (tmp_path / f"{name}.csv").write_text(
            f"true_lab,pred_lab_1,pred_prob_1\n{written},{written},0.9\n"
        )
    table = tmp_path / "synonyms.csv"
    table.write_text("name,accepted\nRosa x,Rosa canina\n")
    for other in ("two", "three"):
        found = run(
            tmp_path / "one.csv",
            "--against",
            tmp_path / f"{other}.csv",
            "--synonyms",
            table,
            "--json",
        )
        assert as_json(found)["compared"]["only_first"] == 0


def test_models_on_other_photos_cannot_be_compared(run: Run, table: Path, tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    path.write_text(
        '{"true_lab": ["Rosa canina"], "pred_lab": [["Rosa canina"]], "pred_prob": [[0.9]]}'
    )
    result = run(table, "--model", "one", "--against", path)
    assert result.exit_code == 1
    assert "not judged on the same photos" in str(result.exception)
