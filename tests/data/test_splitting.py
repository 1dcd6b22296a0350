"""Parting photos in two, and in folds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from plant_classification.data.splitting import folds, split

ALONE = np.arange(100_000)


def labels_of(*counts: int) -> NDArray[np.int32]:
    return np.repeat(np.arange(len(counts), dtype=np.int32), counts)


def test_each_label_has_its_share() -> None:
    labels = labels_of(1000, 100, 20)
    held = split(labels, ALONE[: len(labels)], 0.15, seed=0)
    assert np.bincount(labels[held]).tolist() == [150, 15, 3]


def test_labels_with_few_photos_have_their_share_together() -> None:
    labels = labels_of(*[3] * 1000)
    held = split(labels, ALONE[: len(labels)], 0.15, seed=0)
    assert held.sum() == pytest.approx(0.15 * len(labels), rel=0.1)
    assert np.bincount(labels[held]).max() == 1


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.9])
def test_no_label_is_held_back_whole(fraction: float) -> None:
    labels = labels_of(*range(1, 30))
    for seed in range(20):
        held = split(labels, ALONE[: len(labels)], fraction, seed)
        assert (np.bincount(labels[~held], minlength=29) > 0).all()
        assert not held[0]


def test_groups_stay_on_one_side() -> None:
    labels = labels_of(*[60] * 20)
    groups = np.arange(len(labels)) // 3
    held = split(labels, groups, 0.2, seed=3)
    assert held.reshape(-1, 3).all(1).tolist() == held.reshape(-1, 3).any(1).tolist()
    assert held.mean() == pytest.approx(0.2, abs=0.03)


def test_a_group_of_several_labels_stays_on_one_side_too() -> None:
    labels = labels_of(50, 50, 50)
    groups = np.arange(150) % 50
    held = split(labels, groups, 0.3, seed=1)
    assert (held[:50] == held[50:100]).all()
    assert (held[:50] == held[100:]).all()
    assert 10 <= held[:50].sum() <= 20


def test_a_label_of_one_group_is_kept() -> None:
    labels = labels_of(10, 10)
    groups = np.concatenate([np.zeros(10, int), ALONE[1:11]])
    assert not split(labels, groups, 0.5, seed=0)[:10].any()
    assert split(labels, groups, 0.5, seed=0)[10:].sum() == 5


def test_the_same_seed_gives_the_same_split_for_ever() -> None:
    labels = labels_of(8, 12)
    held = split(labels, ALONE[:20], 0.3, seed=7)
    assert np.flatnonzero(held).tolist() == [1, 2, 4, 9, 10, 18, 19]
    assert (split(labels, ALONE[:20], 0.3, seed=8) != held).any()
    numbers = folds(labels, ALONE[:20], 3, seed=7).tolist()
    assert numbers == [2, 2, 0, 1, 2, 0, 0, 1, 1, 1, 1, 0, 2, 0, 2, 0, 2, 2, 1, 0]


def test_the_numbers_of_the_groups_do_not_matter() -> None:
    labels = labels_of(30, 30)
    groups = np.arange(60) // 2
    held = split(labels, groups, 0.2, seed=0)
    assert (split(labels, groups * 1000 - 7, 0.2, seed=0) == held).all()


def test_folds_are_of_one_size_and_each_label_is_in_all() -> None:
    labels = labels_of(50, 20, 10, 7)
    numbers = folds(labels, ALONE[: len(labels)], 5, seed=0)
    assert np.ptp(np.bincount(numbers)) <= 1
    for label, count in enumerate((50, 20, 10, 7)):
        shares = np.bincount(numbers[labels == label], minlength=5)
        assert shares.min() == count // 5
        assert np.ptp(shares) <= 1


def test_folds_keep_groups_whole() -> None:
    random = np.random.default_rng(0)
    labels = labels_of(*[40] * 10)
    groups = random.integers(0, 90, len(labels))
    numbers = folds(labels, groups, 4, seed=0)
    for group in range(90):
        assert len(set(numbers[groups == group].tolist())) <= 1
    assert np.ptp(np.bincount(numbers)) <= 12


def test_nothing_can_be_parted() -> None:
    none = np.zeros(0, np.int32)
    assert split(none, ALONE[:0], 0.5, 0).tolist() == []
    assert folds(none, ALONE[:0], 3, 0).tolist() == []
