"""Scores that could tell plants from other things, compared: how the one that is served was chosen.

Run it with ``python benchmarks/rejection_scores.py WORK``, where WORK is the folder in which
``python -m recipes.starter choose`` has trained. Plants are the photos that it held back; the other
things are drawn, or come from scikit-image and scikit-learn. Neither ``data/not_plant`` nor the
drawn pictures that look like plants are looked at.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import skimage.data
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.drawn_pictures import EASY, SIDE, pictures
from plant_classification.inference.engine import Engine
from plant_classification.trust import probabilities
from plant_classification.trust.feature_statistics import FeatureStatistics
from plant_classification.trust.rejection import REJECTED, directions, likeness
from recipes import starter
from recipes.pair import FOR_CHOICE, SHARE, SIZE, saved, seen, serving_rule, trained

PACKAGED = (
    "astronaut", "brick", "camera", "cell", "chelsea", "clock_motion", "coffee", "coins", "color",
    "gravel", "horse", "ihc", "logo", "moon", "motorcycle_left", "page", "rocket", "text",
)  # fmt: skip
"""Pictures of scikit-image that show no plant."""

EACH = 12
NEIGHBOURS = 10
SHRINKAGES = (0.001, 0.1)
KEPT_DIMENSIONS = 128
PENALTIES = (1e-4, 1e-3)

Scores = tuple[NDArray[np.floating], NDArray[np.floating]]
"""Of plants, and of other things; larger for plants."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """Logits and features of pictures."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]


def packaged(seed: int) -> list[NDArray[np.uint8]]:
    """Crops of the pictures in packages."""
    random = np.random.default_rng(seed)
    folder = Path(skimage.data.__file__).parent
    paths = [next(folder.glob(f"{name}.*")) for name in PACKAGED]
    paths.append(Path(sklearn.datasets.__file__).parent / "images" / "china.jpg")
    crops = []
    for path in paths:
        with Image.open(path) as picture:
            whole = picture.convert("RGB")
        for _ in range(EACH):
            side = random.uniform(0.35, 1) * min(whole.size)
            left, top = (
                random.uniform(0, whole.width - side),
                random.uniform(0, whole.height - side),
            )
            box = (left, top, left + side, top + side)
            crops.append(np.asarray(whole.resize((SIDE, SIDE), box=box)))
    return crops


def scores(plants: Seen, others: Seen, train: Seen, labels: NDArray[np.int32]) -> dict[str, Scores]:
    """Each score of plants and of other things."""
    count = int(labels.max()) + 1
    statistics = FeatureStatistics.of(train.features, labels, count)
    both = (plants, others)
    logits = [seen.logits.astype(np.float64) for seen in both]
    features = [seen.features for seen in both]
    found: dict[str, list[NDArray[np.floating]]] = {
        "largest probability (Hendrycks 2017)": [
            probabilities(rows).max(axis=1) for rows in logits
        ],
        "largest logit (Hendrycks 2022)": [rows.max(axis=1) for rows in logits],
        "energy (Liu 2020)": [_energy(rows) for rows in logits],
        "cosine to the nearest mean (Techapanurak 2020)": [
            likeness(rows, directions(statistics.means, statistics.counts)) for rows in features
        ],
        f"cosine to the {NEIGHBOURS}th nearest photo (Sun 2022)": [
            np.sort(_unit(rows) @ _unit(train.features).T, axis=1)[:, -NEIGHBOURS]
            for rows in features
        ],
    }
    centre, total = train.features.mean(axis=0), np.cov(train.features.T)
    for shrinkage in SHRINKAGES:
        within = _inverse(statistics.covariance, shrinkage)
        near = [-_distances(rows, statistics.means, within).min(axis=1) for rows in features]
        far = [
            _distances(rows, centre[np.newaxis], _inverse(total, shrinkage))[:, 0]
            for rows in features
        ]
        found[f"Mahalanobis, shrinkage {shrinkage} (Lee 2018)"] = near
        found[f"relative Mahalanobis, shrinkage {shrinkage} (Ren 2021)"] = [
            one + other for one, other in zip(near, far, strict=True)
        ]
    rest = np.linalg.svd(train.features - centre, full_matrices=False)[2][KEPT_DIMENSIONS:]
    lengths = [np.linalg.norm((rows - centre) @ rest.T, axis=1) for rows in features]
    scale = logits[0].max(axis=1).mean() / lengths[0].mean()
    found["virtual logit, ViM (Wang 2022)"] = [
        _energy(rows) - scale * length for rows, length in zip(logits, lengths, strict=True)
    ]
    return {name: (one, other) for name, (one, other) in found.items()}


def trained_heads(
    plants: Seen, others: Seen, train: Seen, groups: NDArray[np.int64]
) -> dict[str, Scores]:
    """A classifier of plants against other things, judged on pictures that it was not shown."""
    scaler = StandardScaler().fit(train.features)
    known, unseen, other = (scaler.transform(seen.features) for seen in (train, plants, others))
    found: dict[str, Scores] = {}
    for penalty in PENALTIES:
        of_others, of_plants = np.zeros(len(other)), np.zeros(len(unseen))
        folds = list(GroupKFold(5).split(other, groups=groups))
        for rows, held in folds:
            head = LogisticRegression(C=penalty, class_weight="balanced", max_iter=300)
            head.fit(
                np.concatenate([known, other[rows]]), np.repeat([1, 0], [len(known), len(rows)])
            )
            of_others[held] = head.decision_function(other[held])
            of_plants += head.decision_function(unseen) / len(folds)
        found[f"a classifier trained on such pictures, C = {penalty:g}"] = (of_plants, of_others)
    return found


def _energy(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    most = logits.max(axis=1)
    return np.asarray(most + np.log(np.exp(logits - most[:, np.newaxis]).sum(axis=1)))


def _unit(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _inverse(covariance: NDArray[np.floating], shrinkage: float) -> NDArray[np.floating]:
    size = len(covariance)
    mean = np.trace(covariance) / size
    return np.asarray(np.linalg.inv((1 - shrinkage) * covariance + shrinkage * mean * np.eye(size)))


def _distances(
    rows: NDArray[np.floating], means: NDArray[np.floating], inverse: NDArray[np.floating]
) -> NDArray[np.floating]:
    turned = rows @ inverse
    own, of_means = (turned * rows).sum(axis=1), ((means @ inverse) * means).sum(axis=1)
    return np.asarray(own[:, np.newaxis] - 2 * turned @ means.T + of_means)


def main(work: Path) -> None:
    """Look at all pictures, and print what each score comes to."""
    chosen = starter.Chosen.read(work)
    pair = trained(work / "choice", FOR_CHOICE, None)
    network = saved(pair, SHARE, SIZE, work)
    rule = dataclasses.replace(serving_rule(pair), crop_fraction=chosen.crop_fraction)
    train, plants = (seen(network, rule, photos) for photos in (pair.train, pair.held))
    shown = [*packaged(0), *pictures(EASY, 30, 0)]
    groups = np.array([place // EACH for place in range(len(shown))])
    logits, maps = Engine(network, rule)(np.concatenate([rule.apply(picture) for picture in shown]))
    others = Seen(logits, maps.mean(axis=(1, 2)))
    looks = [Seen(look.logits, look.features) for look in (plants, train)]
    found = scores(looks[0], others, looks[1], pair.train.labels)
    found |= trained_heads(looks[0], others, looks[1], groups)
    print(
        f"{len(plants.logits):,} plants, {len(shown)} other things; area under the ROC curve, and"
    )
    print(f"share of the other things that is rejected together with {REJECTED:.0%} of the plants")
    for name, (of_plants, of_others) in found.items():
        area = roc_auc_score(
            np.repeat([1, 0], [len(of_plants), len(of_others)]),
            np.concatenate([of_plants, of_others]),
        )
        rejected = (of_others < np.quantile(of_plants, REJECTED)).mean()
        print(f"{name:55} {area:.3f} {rejected:6.1%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
