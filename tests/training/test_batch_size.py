"""How many photos a step may have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_training import configured

from plant_classification.data import photo_memory
from plant_classification.errors import ArgumentError, TrainingError
from plant_classification.training import batch_size, checkpoints

AUTO = configured(batch_size="auto")
GIBIBYTE = 2**30


def found(work: Path, photos: int = 10_000, size: int = 32) -> int:
    return batch_size.batch_size(AUTO, "mobilenet", size, 10, photos, work)


def test_a_number_is_taken_as_it_is(tmp_path: Path) -> None:
    config = configured(batch_size=48)
    assert batch_size.batch_size(config, "xception", 224, 10, 7, tmp_path) == 48


def test_what_is_gone_on_with_keeps_the_size_that_was_found(tmp_path: Path) -> None:
    checkpoints.write(tmp_path, checkpoints.State(1, (), {"batch": 64}), {}, None)
    assert found(tmp_path) == 64


def test_several_machines_need_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(workers))
    with pytest.raises(ArgumentError, match="batch_size is auto, which is for one machine"):
        found(tmp_path)


@pytest.mark.parametrize(("most", "power"), [(0.1, 1), (1, 1), (7.9, 4), (8, 8), (1000, 512)])
def test_sizes_are_powers_of_two(most: float, power: int) -> None:
    assert batch_size.power_of_two(most) == power


@pytest.mark.slow
def test_a_trial_finds_how_many_photos_memory_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_memory, "free_memory", lambda: 3 * GIBIBYTE)
    assert 1 < found(tmp_path) < 8192


@pytest.mark.soak
def test_a_trial_finds_more_where_there_is_more_memory_but_no_more_than_there_are_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_memory, "free_memory", lambda: 3 * GIBIBYTE)
    some = found(tmp_path)
    monkeypatch.setattr(photo_memory, "free_memory", lambda: 24 * GIBIBYTE)
    assert found(tmp_path, photos=3 * some) == 2 * some


@pytest.mark.slow
def test_a_trial_that_fails_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"cannot be found by trial \(.*at least 32 pixels"):
        found(tmp_path, size=16)
