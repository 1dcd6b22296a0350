"""Make the starter model: ``python -m recipes.starter train``; ``evaluate`` prints its figures.

``train`` holds out one fifth of train.txt, trains on the rest, chooses the crop and the temperature
on what was held out, reads val.txt once, through ``Classifier.identify``, and writes the model
folder. ``evaluate`` prints the same figures of a model that is there. The photos are read from the
folder that PLANT_SHARED names.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from plant_classification import Classifier
from plant_classification.models import write_model_folder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.networks import find_architecture
from plant_classification.networks.export import convert
from plant_classification.openvino import save_network
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.trust import probabilities
from recipes import export, fine_tuning, flora119, starter_card
from recipes.fine_tuning import Settings

PARTS = 5
CROP_FRACTIONS = (0.8, 0.875, 0.95, 1.0)
TEMPERATURES = np.geomspace(0.3, 2.0, 96)
AGREEMENT = 1e-3
"""Largest difference of an output between Keras and OpenVINO, both in float32."""

work_option = click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for what is between the steps; not inside the checkout.",
)


@click.group()
def main() -> None:
    """Make the starter model from the photos of flora119."""


@main.command()
@work_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=STARTER_FOLDER,
    help="The model folder to write; the package's own by default.",
)
def train(work: Path, output: Path) -> None:
    """Train, choose on the held-out fold, and write the model folder: half an hour on two cores."""
    if output.exists():
        raise click.UsageError(f"{output} is there already: move it away first.")
    work.mkdir(parents=True, exist_ok=True)
    settings = Settings()
    kept, held = flora119.hold_out(flora119.read_split("train"), PARTS, settings.seed)
    count = len(flora119.read_labels())
    model = fine_tuning.fine_tune(flora119.read_pixels(kept), _labels(kept), count, settings)
    model.save_weights(work / "full.weights.h5")
    choice = judge(model, held, settings)
    write_starter(model, settings, choice, len(kept), work, output)


@main.command()
@click.argument("model", default="starter")
def evaluate(model: str) -> None:
    """Print the figures of MODEL (a name or a folder) on val.txt, from file to answer, one crop."""
    classifier = Classifier.load(model)
    click.echo(starter_card.table(measure(classifier)))


def judge(
    model: keras.Model, held: Sequence[flora119.Example], settings: Settings
) -> dict[str, Any]:
    """Choose the crop and the temperature with the least log-loss on held-out photos.

    Returns:
        What was chosen, and its figures, as JSON takes them.
    """
    pixels = flora119.read_pixels(held)
    labels = _labels(held)
    preprocessing = find_architecture(settings.architecture).preprocessing
    logits_of = keras.Model(model.input, model.outputs[0])
    found = []
    for fraction in CROP_FRACTIONS:
        cropped = dataclasses.replace(preprocessing, crop_fraction=fraction)
        logits = fine_tuning.predict(logits_of, pixels, cropped)
        losses = [log_loss(logits, labels, temperature) for temperature in TEMPERATURES]
        best = int(np.argmin(losses))
        right = logits.argmax(axis=1) == labels
        found.append(
            {
                "log_loss": losses[best],
                "crop_fraction": fraction,
                "temperature": round(float(TEMPERATURES[best]), 4),
                "accuracy": float(right.mean()),
                "accuracy_by_source": {
                    source: float(right[[example.source == source for example in held]].mean())
                    for source in sorted({example.source for example in held})
                },
            }
        )
    least: dict[str, Any] = min(found, key=lambda choice: choice["log_loss"])
    return least


def log_loss(logits: NDArray[np.float32], labels: NDArray[np.int64], temperature: float) -> float:
    """Mean of minus the natural logarithm of the right label's probability."""
    right = probabilities(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, 1e-12)).mean())


def write_starter(
    model: keras.Model,
    settings: Settings,
    choice: dict[str, Any],
    photo_count: int,
    work: Path,
    output: Path,
) -> None:
    """Export a trained network, measure it as it is served, and write the model folder.

    Args:
        model: Trained with ``settings`` on ``photo_count`` photos.
        settings: How it was trained.
        choice: What :func:`judge` chose for it.
        photo_count: Number of photos that it was trained on.
        work: Folder for what is between the steps.
        output: The model folder to write.
    """
    preprocessing = dataclasses.replace(
        find_architecture(settings.architecture).preprocessing,
        crop_fraction=choice["crop_fraction"],
    )
    weights, network = work / "weights.weights.h5", work / "network.xml"
    export.save_half_weights(model, weights)
    model.load_weights(weights)
    converted = convert(model)
    save_network(converted, network, half=True)
    _compare(model, converted, network, preprocessing)
    files = {"network.xml": network, "network.bin": work / "network.bin", weights.name: weights}
    folder: dict[str, Any] = {
        "architecture": settings.architecture,
        "preprocessing": preprocessing,
        "labels": flora119.read_labels(),
        "temperature": choice["temperature"],
        "training": {
            "photos": f"flora119, train.txt but for the held-out fold: {photo_count}",
            "recipe": "recipes/starter.py",
            "settings": dataclasses.asdict(settings),
            "held_out_fold": {key: choice[key] for key in ("accuracy", "log_loss")},
        },
    }
    trial = work / output.name
    shutil.rmtree(trial, ignore_errors=True)
    write_model_folder(trial, **folder, metrics={}, files=files)
    classifier = Classifier.load(trial)
    figures = measure(classifier)
    card = starter_card.card(
        architecture=settings.architecture,
        size=preprocessing.size,
        photos=photo_count,
        fold_accuracy=choice["accuracy"],
        figures=figures,
        precision=classifier.precision,
    )
    (work / "card.md").write_text(card, "utf-8")
    metrics = {"flora119 val.txt": figures}
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
    examples = flora119.read_split("val")
    names = [label.name for label in classifier.labels]
    genera = [label.genus for label in classifier.labels]
    rows = []
    for example in examples:
        answer = classifier.identify(example.path, top_k=len(names), crops=1)
        ranked = [candidate.label.name for candidate in answer.candidates]
        place = ranked.index(names[example.label])
        rows.append(
            (
                place == 0,
                place < 5,
                answer.genera[0].name == genera[example.label],
                -np.log(max(answer.candidates[place].probability, 1e-12)),
            )
        )
    values = np.array(rows, float)
    sources = np.array([example.source for example in examples])
    chosen = {source: sources == source for source in sorted(set(sources))}
    chosen["all"] = np.ones(len(examples), bool)
    columns = ("top1", "top5", "genus_top1", "log_loss")
    return {
        source: {"photos": int(mask.sum())}
        | {
            name: round(float(value), 4)
            for name, value in zip(columns, values[mask].mean(axis=0), strict=True)
        }
        for source, mask in chosen.items()
    }


def _labels(examples: Sequence[flora119.Example]) -> NDArray[np.int64]:
    return np.array([example.label for example in examples], np.int64)


def _compare(
    model: keras.Model, converted: Any, network: Path, preprocessing: Preprocessing
) -> None:
    """Compare Keras with the converted network, and tell what its float16 weights change."""
    pixels = flora119.read_pixels(flora119.read_split("train")[::100])
    crops = np.concatenate([preprocessing.apply(photo) for photo in pixels])
    images = preprocessing.normalize(crops)
    expected = model.predict_on_batch(images)
    for kind, found in (("float32", converted), ("float16", network)):
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
