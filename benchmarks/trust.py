"""What the starter's answers are worth, and what judging them costs.

Run it with ``python benchmarks/trust.py [WORK]`` on a machine that does nothing else. The photos,
and the published predictions of Heredia (2017), are those of the shared data: ``../shared``, or the
folder that PLANT_SHARED names. Rules are fitted on one half of val.txt and judged on the other, ten
times. What is said of a stranger's photos and of unknown species needs two more networks, which are
trained in the folder WORK, where ``python -m recipes.starter choose --work WORK`` and ``left-out``
have been run; without WORK these figures are left out.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks import drawn_pictures
from benchmarks.answers import (
    HALVES,
    NO_RANK,
    Network,
    Seen,
    calibration_errors,
    halves,
    own_rank,
    rejected,
    safe_answers,
    sets,
    share_rejected,
)
from benchmarks.figures import Figure, show
from benchmarks.memory import peak_memory_of
from benchmarks.timing import in_turn
from plant_classification import Classifier
from plant_classification.data import VALIDATION, Records
from plant_classification.evaluation.prediction_files import read_predictions
from plant_classification.evaluation.reliability import expected_calibration_error
from plant_classification.evaluation.summary import summary
from plant_classification.models.folder import NETWORK, TRUST
from plant_classification.photos import read
from plant_classification.settings import load_settings
from plant_classification.taxonomy import Label
from plant_classification.trust import fit_temperature, of_photos, probabilities
from plant_classification.trust.feature_statistics import load_means
from plant_classification.trust.rejection import directions
from plant_classification.trust.safe_answer import RankTops
from recipes import flora119, starter, unknown
from recipes.pair import SHARE, SIZE, Pair, described, saved, serving_rule
from recipes.shared_data import shared

PROMISED = 0.95
COVERAGES = {0.8: "", 0.9: "<= 1.2", 0.95: "<= 1.4"}
POINTED = 200
ROUNDS = 9
LOAD = "import json, sys; kept = [json.load(open(name)) for name in sys.argv[1:]]\n"
IMPORT = """import sys
from pathlib import Path
from plant_classification.evaluation.prediction_files import read_predictions
from plant_classification.evaluation.summary import summary
"""
EVALUATE = IMPORT + "summary(read_predictions(*map(Path, sys.argv[1:])))\n"


def of_published_predictions() -> list[Figure]:
    """All figures with their intervals, over ``json.load`` of the same files."""
    folder = shared("heredia2017")
    predictions, families = (
        folder / name for name in ("predictions_plantnet_tool_portugal.json", "families.json")
    )
    species = folder / "classes.txt"

    def load() -> list[Any]:
        return [json.loads(file.read_text("utf-8")) for file in (predictions, families)]

    def evaluate() -> dict[str, Any]:
        return summary(read_predictions(predictions, species, families))

    loaded, evaluated = in_turn(ROUNDS, load, evaluate)
    least = peak_memory_of(LOAD, predictions, families) - peak_memory_of("import json")
    most = peak_memory_of(EVALUATE, predictions, species, families) - peak_memory_of(IMPORT)
    name = "11,012 published predictions: figures and intervals / json.load"
    return [
        Figure(
            f"{name}, time",
            evaluated / loaded,
            "<= 15",
            f"{1e3 * evaluated:.0f} / {1e3 * loaded:.0f} ms",
        ),
        Figure(
            f"{name}, memory", most / least, "<= 4", f"{most / 2**20:.0f} / {least / 2**20:.0f} MiB"
        ),
    ]


def network_of(pair: Pair, folder: Path, work: Path) -> Network:
    """The mean of two networks as the starter is served."""
    path = saved(pair, SHARE, SIZE, folder)
    fraction = starter.Chosen.read(work).crop_fraction
    rule = dataclasses.replace(serving_rule(pair), crop_fraction=fraction)
    statistics = described(path, rule, pair)
    of_labels = directions(statistics.means, statistics.counts)
    return Network(path, rule, pair.probe.labels(), of_labels)


def calibration(network: Network, val: Seen) -> list[Figure]:
    """How far probabilities and outcomes lie apart, beside what chance alone does to them."""
    found: dict[str, list[tuple[float, float]]] = {}
    for fitted, judged in halves(val):
        errors = calibration_errors(judged, network.rules(fitted), network.ranks)
        for rank, pair in errors.items():
            found.setdefault(rank, []).append(pair)
    figures = []
    for rank, pairs in found.items():
        ours, chance = 100 * np.array(pairs).T
        figures.append(
            Figure(
                f"calibration error of the {rank}, points above chance",
                float((ours - chance).mean()),
                "<= 1.5",
                f"{ours.mean():.1f} +- {ours.std():.1f} %, {chance.mean():.1f} % by chance",
            )
        )
    return figures


def safe(network: Network, val: Seen, imitated: RankTops | None) -> list[Figure]:
    """The promise of the safe answer, and how often there is one."""
    rows = []
    for fitted, judged in halves(val):
        rules = network.rules(fitted, imitated)
        given = safe_answers(judged, rules, network.ranks, PROMISED)
        answered = given.ranks != NO_RANK
        at_own = given.ranks == own_rank(judged)
        rows.append((given.right[answered].mean(), answered.mean(), at_own.mean()))
    columns = 100 * np.array(rows).T
    names = ("of them right", "photos answered", "answered at the label's own rank")
    bounds = (">= 95", ">= 85", ">= 80")
    return [
        Figure(f"safe answers at {PROMISED}: {name}, %", *_spread(column, bound))
        for name, column, bound in zip(names, columns, bounds, strict=True)
    ]


def plausible(network: Network, val: Seen) -> list[Figure]:
    """Coverage and size of the plausible sets."""
    figures = []
    for coverage, most in COVERAGES.items():
        pairs = [sets(judged, network.rules(fitted), coverage) for fitted, judged in halves(val)]
        held, size = np.array(pairs).T
        name = f"plausible sets at {coverage:.0%}"
        bound = f"{100 * coverage - 2:.0f}-{100 * coverage + 2:.0f}"
        figures.append(Figure(f"{name}: hold the right one, %", *_spread(100 * held, bound)))
        figures.append(Figure(f"{name}: mean size", *_spread(size, most)))
    return figures


def of_a_stranger(work: Path, records: Records, names: tuple[Label, ...]) -> list[Figure]:
    """Photos of a source that the network was not trained on: flickr5."""
    network = network_of(starter.without_flickr5(work), work / "without_flickr5", work)
    val = flora119.read().splits[VALIDATION]
    is_of_val = flora119.sources_of(val) == "flickr5"
    fitted = val.take(np.flatnonzero(~is_of_val))
    judged_labels = {names[index].name for index in np.unique(val.labels[is_of_val])}
    imitated = unknown.imitated(work, starter.Chosen.read(work).crop_fraction, judged_labels)
    rules = network.rules(network.see(fitted, names), imitated)
    is_flickr = flora119.sources_of(records) == "flickr5"
    judged = network.see(records.take(np.flatnonzero(is_flickr)), names)
    shares = probabilities(judged.logits, rules.temperature)
    kept = ~rejected(judged, rules)
    sure = kept & (shares.max(axis=1) > 0.8)
    is_tulip = np.array([taxa[0] == "Tulipa gesneriana" for taxa in judged.taxa])
    right = (shares.argmax(axis=1) == judged.truth) & ~is_tulip
    given = safe_answers(judged, rules, network.ranks, 0.9)
    answered = given.ranks != NO_RANK
    known = right[~is_tulip].mean()
    return [
        Figure(
            "flickr5 left out: of answers over 0.8, right, %",
            100 * right[sure].mean(),
            ">= 75",
            f"{sure.sum()} of {len(sure)} photos; {known:.1%} of the known ones are right at all",
        ),
        Figure(
            "flickr5 left out: garden tulips with such an answer, %",
            100 * sure[is_tulip].mean(),
            "<= 8",
            f"of {is_tulip.sum()} photos",
        ),
        Figure(
            "flickr5 left out: of safe answers at 0.9, right, %",
            100 * given.right[answered].mean(),
            ">= 80",
            f"{answered.sum()} of {len(answered)} photos answered, {(~kept).mean():.1%} rejected",
        ),
    ]


def no_plants(network: Network, val: Seen) -> list[Figure]:
    """What is rejected: photos of other things, pictures drawn to look like plants, and plants."""
    photos = [
        np.asarray(Image.open(path).convert("RGB"))
        for path in sorted(shared("not_plant").glob("*.jpg"))
    ]
    drawn = list(drawn_pictures.pictures(drawn_pictures.HARD, 25, 1))
    others, hard = (network.see_pixels(pictures)[1] for pictures in (photos, drawn))
    lost, easy, hard_ones = np.array(
        [
            [100 * share_rejected(fitted, scores) for scores in (judged.scores, others, hard)]
            for fitted, judged in halves(val)
        ]
    ).T
    return [
        Figure(
            "not a plant: area under the curve", _area(val.scores, others), ">= 0.98", "150 photos"
        ),
        Figure("not a plant: plants rejected, %", *_spread(lost, "<= 3")),
        Figure("not a plant: other things rejected, %", *_spread(easy, ">= 95")),
        Figure(
            "not a plant, drawn to look like one: area under the curve",
            _area(val.scores, hard),
            "",
            f"{len(hard)} pictures: {', '.join(drawn_pictures.HARD)}",
        ),
        Figure("not a plant, drawn to look like one: rejected, %", *_spread(hard_ones, "")),
    ]


def unknown_species(work: Path, records: Records, names: tuple[Label, ...]) -> list[Figure]:
    """Species that the network was not trained on."""
    pair = unknown.networks(work)
    network = network_of(pair, work / "unknown", work)
    imitated = unknown.imitated(work, starter.Chosen.read(work).crop_fraction, unknown.JUDGED)
    rules = network.rules(network.see(pair.held, network.labels), imitated)
    is_strange = np.array([label.name in unknown.JUDGED for label in names])
    val = flora119.read().splits[VALIDATION]
    known = network.see(val.take(np.flatnonzero(~is_strange[val.labels])), names)
    strange = network.see(records.take(np.flatnonzero(is_strange[records.labels])), names)
    given = safe_answers(strange, rules, network.ranks, 0.9)
    tops = [probabilities(seen.logits, rules.temperature).max(axis=1) for seen in (known, strange)]
    right = {
        rank: ((given.ranks == place) & given.right).mean()
        for place, rank in ((1, "genus"), (2, "family"))
    }
    trees = shared("unknown_species")
    of_trees = [
        np.asarray(Image.open(path).convert("RGB")) for path in sorted(trees.rglob("*.jpg"))
    ]
    logits, scores = network.see_pixels(of_trees)
    tree = safe_answers(
        Seen(
            logits,
            scores,
            np.full(len(scores), -1),
            ((None, "", None),) * len(scores),
            np.full(len(scores), ""),
        ),
        rules,
        network.ranks,
        0.9,
    )
    return [
        Figure(
            "unknown species: given a wrong species at 0.9, %",
            100 * (given.ranks == 0).mean(),
            "<= 15",
            f"of {len(given.ranks)} photos; a wrong genus or family "
            f"{((given.ranks > 0) & ~given.right).mean():.1%}, the right genus "
            f"{right['genus']:.1%}, the right family {right['family']:.1%}, rejected "
            f"{rejected(strange, rules).mean():.1%}",
        ),
        Figure(
            "known against unknown species: area under the curve",
            _area(*tops),
            ">= 0.88",
            "by the largest probability",
        ),
        Figure(
            "trees in a studio: given a species at 0.9, %",
            100 * (tree.ranks == 0).mean(),
            "",
            f"of {len(scores)} photos; any answer {(tree.ranks >= 0).mean():.1%}",
        ),
    ]


def observations(network: Network, val: Seen, records: Records) -> list[Figure]:
    """Three photos of one label and source (not of one plant), small crops and blurred."""
    random = np.random.default_rng(3)
    pixels = []
    for record in records:
        photo = Image.fromarray(read(record.path, load_settings()).pixels)
        side = 0.45 * min(photo.size)
        left, top = random.uniform(0, photo.width - side), random.uniform(0, photo.height - side)
        crop = photo.resize((240, 240), box=(left, top, left + side, top + side))
        pixels.append(np.asarray(crop.filter(ImageFilter.GaussianBlur(2))))
    logits, _ = network.see_pixels(pixels)
    shares = probabilities(logits, fit_temperature(logits, val.truth))
    groups: list[NDArray[np.intp]] = []
    for source in np.unique(val.sources):
        for label in np.unique(val.truth):
            rows = np.flatnonzero((val.sources == source) & (val.truth == label))
            random.shuffle(rows)
            groups += [rows[start : start + 3] for start in range(0, len(rows) - 2, 3)]
    of_each = shares[np.stack(groups)]
    truth = val.truth[[rows[0] for rows in groups]]
    kinds = {
        "one photo": of_each[:, 0],
        "three, plain mean": of_each.mean(axis=1),
        "three, our rule": np.stack([of_photos(rows) for rows in of_each]),
    }
    figures = []
    for name, found in kinds.items():
        right = found.argmax(axis=1) == truth
        losses = -np.log(np.maximum(found[np.arange(len(truth)), truth], 1e-12))
        apart = expected_calibration_error(found.max(axis=1), right)
        draws = random.integers(len(truth), size=(1000, len(truth)))
        low, high = np.quantile(right[draws].mean(axis=1), [0.025, 0.975])
        figures.append(
            Figure(
                f"observations, {name}: right, %",
                100 * right.mean(),
                "",
                f"{100 * low:.1f}-{100 * high:.1f}; log-loss {losses.mean():.3f}, calibration "
                f"error {apart:.1%}, {len(truth)} observations",
            )
        )
    return figures


def saliency(classifier: Classifier, records: Records) -> list[Figure]:
    """Whether the brightest place lies on a plant that was pasted elsewhere; and what it costs."""
    random = np.random.default_rng(4)
    grounds = sorted(shared("not_plant").glob("*.jpg"))
    size = classifier.folder.preprocessing.size
    names = [label.name for label in classifier.labels]
    hits = []
    for place in random.choice(len(records), POINTED, replace=False):
        ground = Image.open(grounds[random.integers(len(grounds))]).convert("RGB")
        scene = ground.resize((size, size))
        photo = Image.fromarray(read(records.path(int(place)), load_settings()).pixels)
        side = min(photo.size)
        middle = ((photo.width - side) // 2, (photo.height - side) // 2)
        plant = photo.resize((size // 2,) * 2, box=(*middle, middle[0] + side, middle[1] + side))
        left, top = (int(value) for value in random.integers(0, size - size // 2 + 1, 2))
        scene.paste(plant, (left, top))
        taxon = names[records.labels[place]]
        (heat,) = classifier.explain(np.asarray(scene), taxon=taxon, top_k=len(names)).maps
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        x, y = (column + 0.5) * size / heat.shape[1], (row + 0.5) * size / heat.shape[0]
        hits.append(left <= x < left + size // 2 and top <= y < top + size // 2)
    photo_path = records.path(0)
    plain, explained = in_turn(
        ROUNDS * 10,
        lambda: classifier.identify(photo_path),
        lambda: classifier.explain(photo_path),
    )
    return [
        Figure(
            "saliency: pointing game, %",
            100 * float(np.mean(hits)),
            ">= 90",
            f"{POINTED} plants pasted on photos of other things",
        ),
        Figure(
            "saliency: explain / identify, time",
            explained / plain,
            "<= 1.05",
            f"{1e3 * explained:.2f} / {1e3 * plain:.2f} ms, {classifier.folder.architecture}",
        ),
    ]


def _spread(values: NDArray[np.float64], bound: str) -> tuple[float, str, str]:
    return float(values.mean()), bound, f"+- {values.std():.1f} in {HALVES} halves"


def _area(plants: NDArray[np.floating], others: NDArray[np.floating]) -> float:
    scores = np.concatenate([plants, others])
    return float(roc_auc_score(np.repeat([1, 0], [len(plants), len(others)]), scores))


def main() -> None:
    """Measure and print."""
    classifier = Classifier.load()
    folder = classifier.folder
    means = directions(*load_means(folder.file(TRUST)))
    network = Network(folder.file(NETWORK), folder.preprocessing, classifier.labels, means)
    dataset = flora119.read()
    records = dataset.splits[VALIDATION]
    val = network.see(records, dataset.labels, flora119.sources_of(records))
    work = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    imitated = unknown.imitated(work, folder.preprocessing.crop_fraction) if work else None
    figures = calibration(network, val) + safe(network, val, imitated) + plausible(network, val)
    if work:
        both = dataset.everything()
        figures += of_a_stranger(work, both, dataset.labels)
        figures += unknown_species(work, both, dataset.labels)
    figures += no_plants(network, val) + observations(network, val, records)
    figures += of_published_predictions() + saliency(classifier, records)
    show(figures)


if __name__ == "__main__":
    main()
