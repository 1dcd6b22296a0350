"""Make the starter model from the photos of flora119, by the training that the package ships.

``choose`` holds back a fifth of train.txt and another source's photos, prints what the share of
both networks was chosen by, and keeps crop and temperature. ``left-out`` then makes the model from
almost all of train.txt without flickr5, and judges it on those photos; ``train`` makes it from
almost all, and reads val.txt for its card; ``safe`` writes the safe answers alone into a starter
that is there, and ``evaluate`` prints its figures. The photos are read from the folder that
PLANT_SHARED names.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from plant_classification import Classifier
from plant_classification.data import TRAIN, VALIDATION, Records
from plant_classification.files import remove
from plant_classification.inference.batch import Looks
from plant_classification.models import write_model_folder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.models.folder import TRUST, read_model_folder, recalibrate
from plant_classification.networks.export import convert
from plant_classification.photos import read
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.settings import load_settings
from plant_classification.taxonomy import ranks_of
from plant_classification.trust import TrustRules, fit_temperature, fit_trust, probabilities
from plant_classification.trust.rejection import directions, likeness
from recipes import export, flora119, starter_card, unknown
from recipes.pair import (
    FOR_CHOICE,
    FOR_GOOD,
    PROBE,
    SHARE,
    SIZE,
    TUNING,
    Pair,
    between,
    described,
    saved,
    seen,
    serving_rule,
    trained,
)

SIZES, SHARES = (224, 240), (0.5, 0.7, 0.85, 1.0)
CROP_FRACTIONS = (0.8, 0.875, 0.95, 1.0)
AGREEMENT = 1e-3
"""Largest difference of an output between Keras and OpenVINO, both in float32."""

CHOSEN, LEFT_OUT = "chosen.json", "left_out.json"

work_option = click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder outside the checkout for what is between the steps; what it has is gone on with.",
)


@dataclasses.dataclass(frozen=True)
class Chosen:
    """What was chosen on a fifth of train.txt.

    Attributes:
        crop_fraction: Of the crop in serving.
        trust: What it taught of the worth of answers, as model.json has it.
        fold_top1: Share of the fold that was right with them, in [0, 1].
        fold_log_loss: Mean of minus the natural logarithm of the right label's probability.
    """

    crop_fraction: float
    fold_top1: float
    fold_log_loss: float
    trust: Mapping[str, Any]

    @classmethod
    def read(cls, work: Path) -> Chosen:
        """What ``choose`` left."""
        return cls(**what_was(CHOSEN, work, "choose"))


@click.group()
def main() -> None:
    """Make the starter model from the photos of flora119."""


@main.command()
@work_option
def choose(work: Path) -> None:
    """Train without what oxford102 has of oxford17's labels; judge each share on that and a fold.

    Up to an hour on two cores.
    """
    records = flora119.read().splits[TRAIN]
    is_left_out = flora119.of_both(records, "oxford102", "oxford17")
    pair = trained(work / "choice", FOR_CHOICE, is_left_out)
    of_other_source = records.take(np.flatnonzero(is_left_out))
    for size, share in itertools.product(SIZES, SHARES):
        rule = serving_rule(pair, size)
        network = saved(pair, share, size, work)
        for name, photos in (("fold", pair.held), ("other source", of_other_source)):
            logits = seen(network, rule, photos).logits
            loss = log_loss(logits, photos.labels, fit_temperature(logits, photos.labels))
            click.echo(
                f"{size} px, share {share:.2f}, {name}: {accuracy(logits, photos):.1%} "
                f"of {len(photos)}, log-loss {loss:.3f}"
            )
    chosen = best_crop(saved(pair, SHARE, SIZE, work), pair, work)
    (work / CHOSEN).write_text(json.dumps(dataclasses.asdict(chosen)) + "\n", "utf-8")


@main.command()
@work_option
def left_out(work: Path) -> None:
    """Train without flickr5, and read its photos once. Up to an hour on two cores."""
    dataset = flora119.read()
    chosen = Chosen.read(work)
    pair = without_flickr5(work)
    network = saved(pair, SHARE, SIZE, work)
    rule = dataclasses.replace(serving_rule(pair), crop_fraction=chosen.crop_fraction)
    genera = np.array([label.genus for label in dataset.labels])
    known: list[bool] = []
    tulips: list[bool] = []
    for records in dataset.splits.values():
        is_flickr = flora119.sources_of(records) == "flickr5"
        is_known = flora119.of_both(records, "flickr5", "oxford102")
        first = seen(network, rule, records.take(np.flatnonzero(is_flickr))).logits.argmax(axis=1)
        truth, among_known = records.labels[is_flickr], is_known[is_flickr]
        known += (first == truth)[among_known].tolist()
        tulips += (genera[first] == genera[truth])[~among_known].tolist()
    figures = {
        "photos": len(known),
        "top1": round(float(np.mean(known)), 4),
        "tulips": len(tulips),
        "tulips_genus": round(float(np.mean(tulips)), 4),
    }
    (work / LEFT_OUT).write_text(json.dumps(figures) + "\n", "utf-8")
    click.echo(starter_card.left_out(figures))


@main.command()
@work_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=STARTER_FOLDER,
    help="The model folder to write; the package's own by default.",
)
def train(work: Path, output: Path) -> None:
    """Make the model, and read val.txt for its card, after left-out. Up to an hour on two cores."""
    if output.exists():
        raise click.UsageError(f"{output} is there already: move it away first.")
    chosen, of_flickr = Chosen.read(work), what_was(LEFT_OUT, work, "left-out")
    pair = trained(work / "starter", FOR_GOOD, None)
    write_starter(pair, chosen, of_flickr, work, output)


@main.command()
@work_option
def safe(work: Path) -> None:
    """Write the safe answers that ``choose`` found into the package's starter; all else stays."""
    starter = read_model_folder(STARTER_FOLDER)
    found = TrustRules.from_dict(Chosen.read(work).trust).safe
    recalibrate(starter, dataclasses.replace(starter.trust, safe=found))


@main.command()
@click.argument("model", default="starter")
def evaluate(model: str) -> None:
    """Print the figures of MODEL (a name or a folder) on val.txt, from file to answer, one crop."""
    classifier = Classifier.load(model)
    click.echo(starter_card.table(measure(classifier)))


def without_flickr5(work: Path) -> Pair:
    """Both networks, trained without any of flickr5's photos."""
    is_flickr = flora119.sources_of(flora119.read().splits[TRAIN]) == "flickr5"
    return trained(work / "without_flickr5", FOR_GOOD, is_flickr)


def what_was(name: str, work: Path, command: str) -> dict[str, Any]:
    """What an earlier command found."""
    if not (work / name).is_file():
        raise click.UsageError(f"{work / name} is missing: run {command} first.")
    found: dict[str, Any] = json.loads((work / name).read_text("utf-8"))
    return found


def accuracy(logits: NDArray[np.float32], photos: Records) -> float:
    """Share of the photos whose label comes first."""
    return float((logits.argmax(axis=1) == photos.labels).mean())


def log_loss(logits: NDArray[np.float32], labels: NDArray[np.int32], temperature: float) -> float:
    """Mean of minus the natural logarithm of the right label's probability."""
    right = probabilities(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, 1e-12)).mean())


def best_crop(network: Path, pair: Pair, work: Path) -> Chosen:
    """The crop with the least log-loss on held-back photos, and what these teach with it.

    What they teach of unknown plants comes from networks that were not shown a fifth of the labels.
    """
    rule, labels = serving_rule(pair), pair.held.labels

    def tried(fraction: float) -> tuple[float, float, Looks]:
        looks = seen(network, dataclasses.replace(rule, crop_fraction=fraction), pair.held)
        loss = log_loss(looks.logits, labels, fit_temperature(looks.logits, labels))
        click.echo(f"crop {fraction}: {accuracy(looks.logits, pair.held):.1%}, log-loss {loss:.3f}")
        return loss, fraction, looks

    loss, fraction, looks = min(map(tried, CROP_FRACTIONS), key=lambda found: found[0])
    statistics = described(network, dataclasses.replace(rule, crop_fraction=fraction), pair)
    scores = likeness(looks.features, directions(statistics.means, statistics.counts))
    rules = fit_trust(
        looks.logits,
        labels,
        ranks_of(pair.probe.labels()),
        scores=scores,
        unknown=unknown.imitated(work, fraction),
    )
    return Chosen(fraction, accuracy(looks.logits, pair.held), loss, rules.to_dict())


def write_starter(
    pair: Pair, chosen: Chosen, of_flickr: Mapping[str, float], work: Path, output: Path
) -> None:
    """Measure the mean of a pair as it is served, and write the model folder.

    Args:
        pair: What it is the mean of.
        chosen: Crop, temperature, and accuracy on the fold that they were chosen on.
        of_flickr: Figures of flickr5's photos, not trained on.
        work: Folder for what is between the steps.
        output: The model folder to write.
    """
    network = saved(pair, SHARE, SIZE, work)
    rule = dataclasses.replace(serving_rule(pair), crop_fraction=chosen.crop_fraction)
    model = between(pair, SHARE, SIZE)
    weights = work / "weights.weights.h5"
    export.save_half_weights(model, weights)
    _compare(model, network, rule, pair.held)
    described(network, rule, pair).save(work / TRUST)
    files = {"network.xml": network, "network.bin": work / "network.bin", weights.name: weights}
    files[TRUST] = work / TRUST
    kept = ("photos", "init", "best_epoch")
    folder: dict[str, Any] = {
        "architecture": pair.probe.architecture,
        "preprocessing": rule,
        "labels": pair.probe.labels(),
        "trust": TrustRules.from_dict(chosen.trust),
        "training": {
            "recipe": "recipes/starter.py",
            "share_of_tuned": SHARE,
            **{
                name: {
                    **{key: model.training[key] for key in kept if key in model.training},
                    "options": options,
                }
                for name, model, options in (
                    ("probe", pair.probe, PROBE),
                    ("tuned", pair.tuned, TUNING),
                )
            },
        },
    }
    trial = work / "trial" / output.name
    remove(trial)
    write_model_folder(trial, **folder, metrics={}, files=files)
    classifier = Classifier.load(trial)
    figures = measure(classifier)
    card = starter_card.card(
        network=pair.probe.architecture.replace("efficientnet_lite", "EfficientNet-Lite"),
        size=rule.size,
        photos=pair.probe.training["photos"],
        fold_accuracy=chosen.fold_top1,
        figures=figures,
        flickr=of_flickr,
        precision=classifier.precision,
    )
    (work / "card.md").write_text(card, "utf-8")
    metrics = {"flora119 val.txt": figures, "flickr5, not trained on": of_flickr}
    (work / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    files |= {name: work / name for name in ("card.md", "metrics.json")}
    write_model_folder(output, **folder, metrics=metrics, files=files)
    click.echo(starter_card.table(figures))


def measure(classifier: Classifier) -> dict[str, dict[str, float]]:
    """Accuracy on val.txt, through ``identify`` with one crop, for each source and over all.

    Returns:
        By source: the number of photos; the share whose right label is first, and among the first
        five; whose right genus is first; and the mean log-loss.
    """
    records = flora119.read().splits[VALIDATION]
    names = [label.name for label in classifier.labels]
    genera = [label.genus for label in classifier.labels]
    rows = []
    for record in records:
        answer = classifier.identify(record.path, top_k=len(names), crops=1)
        ranked = [candidate.label.name for candidate in answer.candidates]
        place = ranked.index(names[record.label])
        rows.append(
            (
                place == 0,
                place < 5,
                answer.genera[0].name == genera[record.label],
                -np.log(max(answer.candidates[place].probability, 1e-12)),
            )
        )
    values, sources = np.array(rows, float), flora119.sources_of(records)
    chosen = {source: sources == source for source in sorted(set(sources.tolist()))}
    chosen["all"] = np.ones(len(records), bool)
    columns = ("top1", "top5", "genus_top1", "log_loss")
    return {
        source: {"photos": int(mask.sum())}
        | {
            name: round(float(value), 4)
            for name, value in zip(columns, values[mask].mean(axis=0), strict=True)
        }
        for source, mask in chosen.items()
    }


def _compare(model: keras.Model, network: Path, rule: Preprocessing, photos: Records) -> None:
    """Compare Keras with the converted network, and tell what its float16 weights change."""
    settings = load_settings()
    chosen = photos.take(np.arange(0, len(photos), 20))
    pixels = [read(path, settings).pixels for path in map(chosen.path, range(len(chosen)))]
    images = rule.normalize(np.concatenate([rule.apply(photo) for photo in pixels]))
    expected = model.predict_on_batch(images)
    for kind, found in (("float32", convert(model)), ("float16", network)):
        outputs = export.run_network(found, images)
        logits, features = (
            float(np.abs(output - other).max())
            for output, other in zip(outputs, expected, strict=True)
        )
        click.echo(f"OpenVINO, {kind} weights: {logits=:.1e} {features=:.1e} from Keras at most")
        if kind == "float32" and max(logits, features) > AGREEMENT:
            raise click.ClickException("The converted network does not agree with Keras.")


if __name__ == "__main__":
    main()
