"""What is kept of the features of the training photos."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from plant_classification.trust.feature_statistics import (
    MOST_FEATURE,
    FeatureStatistics,
    load_means,
)

FEATURES, LABELS = 40, 7


def drawn(count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features far from zero, whose spread is small beside that, and their labels."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, LABELS - 1, count)  # the last label has none
    mixed = random.normal(size=(count, FEATURES)) @ random.normal(size=(FEATURES, FEATURES)) / 8
    return (30 + labels[:, np.newaxis] * 0.5 + mixed).astype(np.float32), labels


@pytest.fixture
def statistics() -> FeatureStatistics:
    return FeatureStatistics.of(*drawn(3000), LABELS)


def test_means_and_covariance_are_those_of_two_passes_in_float64() -> None:
    features, labels = drawn(3000)
    found = FeatureStatistics.of(features, labels, LABELS)
    exact = features.astype(np.float64)
    means = np.stack([exact[labels == label].mean(axis=0) for label in range(LABELS - 1)])
    centred = exact - means[labels]
    np.testing.assert_allclose(found.means[:-1], means, rtol=1e-6)
    np.testing.assert_allclose(
        found.covariance, centred.T @ centred / (len(labels) - (LABELS - 1)), atol=1e-5
    )
    np.testing.assert_array_equal(found.counts, np.bincount(labels, minlength=LABELS))


def test_a_label_without_photos_has_zeros(statistics: FeatureStatistics) -> None:
    assert statistics.counts[-1] == 0
    assert not statistics.means[-1].any()


def test_two_sets_together_are_as_one(statistics: FeatureStatistics) -> None:
    features, labels = drawn(3000)
    first, second = slice(0, 1000), slice(1000, None)
    few = LABELS - 3
    is_few = labels[first] < few
    one = FeatureStatistics.of(features[first][is_few], labels[first][is_few], few)
    rest = np.concatenate([features[first][~is_few], features[second]])
    of_rest = np.concatenate([labels[first][~is_few], labels[second]])
    both = one.joined(FeatureStatistics.of(rest, of_rest, LABELS))
    np.testing.assert_array_equal(both.counts, statistics.counts)
    np.testing.assert_allclose(both.means, statistics.means, rtol=1e-5)
    np.testing.assert_allclose(both.covariance, statistics.covariance, atol=1e-4)


def test_they_are_read_back_nearly_as_they_were(
    statistics: FeatureStatistics, tmp_path: Path
) -> None:
    statistics.save(tmp_path / "trust.npz")
    found = FeatureStatistics.load(tmp_path / "trust.npz")
    np.testing.assert_array_equal(found.counts, statistics.counts)
    np.testing.assert_allclose(found.means, statistics.means, rtol=5e-4)
    scale = np.sqrt(np.diag(statistics.covariance))
    difference = np.abs(found.covariance - statistics.covariance) / scale / scale[:, np.newaxis]
    assert difference.max() < 2.5e-4
    np.testing.assert_array_equal(found.covariance, found.covariance.T)


def test_those_of_the_starters_size_take_two_megabytes(tmp_path: Path) -> None:
    large = FeatureStatistics(
        np.ones((119, 1280), np.float32), np.full(119, 36), np.eye(1280, dtype=np.float32)
    )
    large.save(tmp_path / "trust.npz")
    assert (tmp_path / "trust.npz").stat().st_size < 2_000_000


def test_the_same_statistics_make_the_same_file(
    statistics: FeatureStatistics, tmp_path: Path
) -> None:
    for name in ("one.npz", "other.npz"):
        statistics.save(tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


def arrays_of(statistics: FeatureStatistics, folder: Path) -> dict[str, NDArray[np.generic]]:
    statistics.save(folder / "whole.npz")
    with np.load(folder / "whole.npz") as arrays:
        return dict(arrays)


def with_another(
    statistics: FeatureStatistics, folder: Path, name: str, values: NDArray[np.generic]
) -> Path:
    """The file of statistics, one of its arrays replaced."""
    file = folder / "trust.npz"
    np.savez(file, **(arrays_of(statistics, folder) | {name: values}))  # type: ignore[arg-type]
    return file


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("means", np.zeros((LABELS, FEATURES - 1), np.float16), "do not fit each other"),
        ("counts", np.zeros(LABELS - 1, np.int64), "do not fit each other"),
        ("counts", np.zeros(LABELS, np.float32), "do not fit each other"),
        ("counts", np.full(LABELS, -1), "numbers that statistics cannot have"),
        ("variances", np.zeros(FEATURES, np.float32), "numbers that statistics cannot have"),
        ("variances", np.full(FEATURES, np.nan, np.float32), "numbers that statistics cannot have"),
        (
            "correlations",
            np.full(FEATURES * (FEATURES - 1) // 2, 9.0),
            "numbers that statistics cannot have",
        ),
        ("correlations", np.zeros(3, np.float16), "do not fit each other"),
        ("means", np.array(["text"]), "do not fit each other"),
        ("means", np.array([{}], dtype=object), "cannot be used"),
    ],
)
def test_arrays_that_are_none_of_ours_are_refused(
    statistics: FeatureStatistics,
    tmp_path: Path,
    name: str,
    values: NDArray[np.generic],
    sentence: str,
) -> None:
    file = with_another(statistics, tmp_path, name, values)
    with pytest.raises(ValueError, match=sentence) as caught:
        FeatureStatistics.load(file)
    assert str(file) in str(caught.value)


def test_every_cut_file_is_refused(statistics: FeatureStatistics, tmp_path: Path) -> None:
    statistics.save(tmp_path / "whole.npz")
    content = (tmp_path / "whole.npz").read_bytes()
    for end in range(0, len(content), 97):
        (tmp_path / "trust.npz").write_bytes(content[:end])
        with pytest.raises(ValueError, match=r"trust\.npz cannot be used"):
            FeatureStatistics.load(tmp_path / "trust.npz")


def test_a_damaged_file_is_refused_or_changes_nothing_else(
    statistics: FeatureStatistics, tmp_path: Path
) -> None:
    statistics.save(tmp_path / "whole.npz")
    content = (tmp_path / "whole.npz").read_bytes()
    random = np.random.default_rng(1)
    for place in random.integers(0, len(content), 300):
        damaged = bytearray(content)
        damaged[place] ^= 1 << random.integers(8)
        (tmp_path / "trust.npz").write_bytes(damaged)
        try:
            found = FeatureStatistics.load(tmp_path / "trust.npz")
        except ValueError:
            continue
        np.testing.assert_allclose(found.means, statistics.means, rtol=5e-4)


def test_a_file_that_would_unpack_to_more_than_it_is_is_refused(
    statistics: FeatureStatistics, tmp_path: Path
) -> None:
    arrays = arrays_of(statistics, tmp_path)
    np.savez_compressed(tmp_path / "trust.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="it is compressed"):
        FeatureStatistics.load(tmp_path / "trust.npz")
    header = b"{'descr': '<f2', 'fortran_order': False, 'shape': (%d, 9), }"
    bomb = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + (header % 10**14).ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "trust.npz", "w") as archive:
        for name in arrays:
            archive.writestr(f"{name}.npy", bomb)
    with pytest.raises(ValueError, match=re.escape("trust.npz cannot be used")):
        FeatureStatistics.load(tmp_path / "trust.npz")


def test_the_means_alone_are_those_of_the_whole(
    statistics: FeatureStatistics, tmp_path: Path
) -> None:
    statistics.save(tmp_path / "trust.npz")
    whole = FeatureStatistics.load(tmp_path / "trust.npz")
    means, counts = load_means(tmp_path / "trust.npz")
    np.testing.assert_array_equal(means, whole.means)
    np.testing.assert_array_equal(counts, whole.counts)
    assert means.dtype == np.float32
    assert counts.dtype == np.int64


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("means", np.zeros(LABELS, np.float16), "do not fit each other"),
        ("means", np.zeros((LABELS + 1, FEATURES), np.float16), "do not fit each other"),
        ("counts", np.ones(LABELS, np.float32), "do not fit each other"),
        ("counts", np.zeros(LABELS, np.int64), "hold numbers that statistics cannot have"),
        (
            "means",
            np.zeros((LABELS, FEATURES), np.int64),
            "hold numbers that statistics cannot have",
        ),
        ("means", np.full((LABELS, FEATURES), np.inf), "hold numbers that statistics cannot have"),
        ("means", np.full((LABELS, FEATURES), np.nan), "hold numbers that statistics cannot have"),
        (
            "means",
            np.full((LABELS, FEATURES), -MOST_FEATURE),
            "hold numbers that statistics cannot have",
        ),
        ("means", np.full((LABELS, FEATURES), 1e300), "hold numbers that statistics cannot have"),
    ],
)
def test_means_that_are_none_are_refused(
    statistics: FeatureStatistics,
    tmp_path: Path,
    name: str,
    values: NDArray[np.generic],
    sentence: str,
) -> None:
    file = with_another(statistics, tmp_path, name, values)
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - compared below
        load_means(file)
    assert str(refused.value) == f"{file} cannot be used: its arrays {sentence}."


def test_one_photo_is_enough_for_means(statistics: FeatureStatistics, tmp_path: Path) -> None:
    counts = np.zeros(LABELS, np.int64)
    counts[2] = 1
    file = with_another(statistics, tmp_path, "counts", counts)
    np.testing.assert_array_equal(load_means(file)[1], counts)
