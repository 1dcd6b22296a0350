"""Predictions in files: as the old service published them, and as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plant_classification.errors import DatasetError
from plant_classification.evaluation.metrics import figures_of
from plant_classification.evaluation.prediction_files import is_predictions, read_predictions

SPECIES = "Rosa canina\nRosa sp.\nMalus domestica L.\nTulipa gesneriana\nRosa canina L.\n"
TRUTH = [0, 3, 2]
LABELS = [[0, 1, 2], [3, 0, 1], [1, 0, 3]]
PROBABILITIES = [[0.6, 0.3, 0.1], [0.5, 0.2, 0.1], [0.4, 0.3, 0.2]]


def write_json(folder: Path, **changed: Any) -> Path:
    content = {"true_lab": TRUTH, "pred_lab": LABELS, "pred_prob": PROBABILITIES, **changed}
    path = folder / "predictions.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def species(tmp_path: Path) -> Path:
    path = tmp_path / "species.txt"
    path.write_text(SPECIES)
    return path


def rows(*, names: bool) -> list[dict[str, Any]]:
    lines = SPECIES.splitlines()
    of = (lambda label: lines[label]) if names else str
    return [
        {"true_lab": of(truth), "source": "garden" if place else "wood", "observation": "one"}
        | {f"pred_lab_{n}": of(label) for n, label in enumerate(labels, 1)}
        | {f"pred_prob_{n}": share for n, share in enumerate(shares, 1)}
        for place, (truth, labels, shares) in enumerate(
            zip(TRUTH, LABELS, PROBABILITIES, strict=True)
        )
    ]


def write_csv(folder: Path, *, names: bool) -> Path:
    table = rows(names=names)
    lines = [",".join(table[0]), *(",".join(map(str, row.values())) for row in table)]
    path = folder / "predictions.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_parquet(folder: Path, *, names: bool) -> Path:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = folder / "predictions.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows(names=names)), path)
    return path


def test_published_figures_are_those_of_scikit_learn(shared: Path) -> None:
    from sklearn import metrics

    folder = shared / "data/heredia2017"
    path = folder / "predictions_plantnet_tool_portugal.json"
    judged = read_predictions(path, folder / "classes.txt", folder / "families.json")
    content = json.loads(path.read_text())
    truth, first = content["true_lab"], [labels[0] for labels in content["pred_lab"]]
    figures = figures_of(judged.predictions, judged.labels)
    assert figures.photos == len(truth) == 11_012
    assert figures.top_1 == pytest.approx(metrics.accuracy_score(truth, first))
    assert figures.macro_top_1 == pytest.approx(
        metrics.recall_score(truth, first, labels=np.unique(truth), average="macro")
    )
    among = [label in labels for label, labels in zip(truth, content["pred_lab"], strict=True)]
    assert figures.top_5 == pytest.approx(np.mean(among))
    families = {
        name.split(" (")[0].split()[0]: family
        for family, names in json.loads((folder / "families.json").read_text()).items()
        for name in names
    }
    named = (folder / "classes.txt").read_text("utf-8").splitlines()
    family = [families.get(name.split()[0]) for name in named]
    expected = np.mean([family[a] == family[b] for a, b in zip(truth, first, strict=True)])
    assert figures.family_top_1 == pytest.approx(expected, abs=0.01)
    assert figures.log_loss is figures.average_5 is None


def test_lists_in_a_column_are_as_good_as_any_value(tmp_path: Path) -> None:
    pyarrow, parquet = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
    path = tmp_path / "lists.parquet"
    lists = [row | {"photos": [row["source"], "b.jpg"]} for row in rows(names=True)]
    parquet.write_table(pyarrow.Table.from_pylist(lists), path)
    assert read_predictions(path, None).groups["photos"].tolist()[0] == "['wood', 'b.jpg']"


@pytest.mark.parametrize("write", [write_csv, write_parquet])
@pytest.mark.parametrize("names", [True, False])
def test_tables_say_the_same_and_their_other_columns_are_groups(
    write: Any, names: bool, tmp_path: Path, species: Path
) -> None:
    table, plain = write(tmp_path, names=names), write_json(tmp_path)
    assert is_predictions(table)
    found = read_predictions(table, None if names else species)
    expected = read_predictions(plain, species)
    for judged in (found, expected):
        figures = figures_of(judged.predictions, judged.labels)
        assert (figures.top_1, figures.genus_top_1) == pytest.approx((2 / 3, 2 / 3))
        assert figures.top_5 is None
    assert found.groups.keys() == {"source"}
    assert found.groups["source"].tolist() == ["wood", "garden", "garden"]
    assert found.units.tolist() == [0, 0, 0]
    assert expected.units.tolist() == [0, 1, 2]


def test_two_labels_of_one_species_are_one_and_their_probabilities_add_up(
    tmp_path: Path, species: Path
) -> None:
    path = write_json(tmp_path, true_lab=[4], pred_lab=[[1, 0, 4]], pred_prob=[[0.4, 0.3, 0.3]])
    predictions = read_predictions(path, species).predictions
    assert (predictions.place.tolist(), predictions.predicted.tolist()) == ([0], [0])
    assert predictions.confidence == pytest.approx([0.6])


def test_a_synonym_counts_as_the_accepted_name(tmp_path: Path, species: Path) -> None:
    path = write_json(tmp_path, true_lab=[2], pred_lab=[[3]], pred_prob=[[0.4]])
    assert read_predictions(path, species).predictions.place.tolist() == [1]
    synonyms = {"Malus domestica": "Tulipa gesneriana"}
    found = read_predictions(path, species, synonyms=synonyms)
    assert found.predictions.place.tolist() == [0]


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"true_lab": [0, 3]}, "has labels for 3 photos, and true_lab for 2"),
        ({"true_lab": [0, 3, 9]}, r"photo 3: a label that .* does not have: its 5 lines"),
        ({"true_lab": [0, 3, 1.5]}, "names or whole numbers"),
        ({"true_lab": ["9" * 20] * 3}, "a label is a number far too large"),
        ({"pred_lab": [["a", "b", "c"]] * 3}, "must both be names, or both numbers"),
        ({"pred_lab": [[0], [1, 2], [3]]}, "as many labels and probabilities as the first"),
        ({"pred_prob": [[0.6, 0.3, 0.1]] * 2 + [[0.9, 0.3, 0.1]]}, "photo 3: probabilities"),
        ({"pred_prob": [[0.6, 0.3, float("nan")]] * 3}, "photo 1: probabilities"),
        ({"pred_prob": [[0.6], ["x"], [0.1]]}, "photo 2: the probability 'x' is no number"),
        ({"true_lab": [], "pred_lab": [], "pred_prob": []}, "holds no photo"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(
    changed: dict[str, Any], fault: str, tmp_path: Path, species: Path
) -> None:
    with pytest.raises(DatasetError, match=fault):
        read_predictions(write_json(tmp_path, **changed), species)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [("", "holds no photo"), ("Rosa canina,Rosa canina,much\n", "probability 'much' is no number")],
)
def test_a_table_that_cannot_be_used_is_a_sentence(rows: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(f"true_lab,pred_lab_1,pred_prob_1\n{rows}")
    with pytest.raises(DatasetError, match=fault):
        read_predictions(path)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_table_may_be_parted_as_spreadsheets_do(delimiter: str, tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    lines = [("true_lab", "pred_lab_1", "pred_prob_1"), ("Rosa canina", "Rosa canina", "0.5")]
    path.write_text("".join(delimiter.join(line) + "\n" for line in lines))
    assert is_predictions(path)
    assert read_predictions(path).predictions.right.all()


def test_numbers_need_the_list_of_species(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gives labels as numbers: .*--species"):
        read_predictions(write_json(tmp_path))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_text('{"true_lab": [1]}')
    with pytest.raises(DatasetError, match="has no 'pred_lab'"):
        read_predictions(path)
    table = tmp_path / "some.csv"
    table.write_text("true_lab,pred_lab_1\nRosa canina,Rosa sp.\n")
    with pytest.raises(DatasetError, match="no columns pred_lab_1 and pred_prob_1"):
        read_predictions(table)
