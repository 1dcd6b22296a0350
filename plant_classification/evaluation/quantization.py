"""A model in numbers of eight bits: half the size, and faster; judged before it is kept.

Post-training quantization (Jacob et al. 2018, arXiv:1712.05877), by NNCF, the extra ``quantize``:
some hundreds of photos show which range the numbers inside the network take.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification import photos
from plant_classification.data import TEST, TRAIN, VALIDATION, Dataset, Records
from plant_classification.errors import ArgumentError, DatasetError, PlantClassificationError
from plant_classification.evaluation.judging import judge_model
from plant_classification.evaluation.metrics import Figures, figures_of
from plant_classification.inference.batch import Tell
from plant_classification.models import ModelFolder, write_model_folder
from plant_classification.models.choosing import check_new
from plant_classification.models.folder import NETWORK, NETWORK_WEIGHTS, TRUST
from plant_classification.openvino import core, save_network
from plant_classification.settings import Settings

SHOWN = 300
"""Photos that show the ranges; more change next to nothing."""

MOST_LOST = 0.005
"""Of the mean accuracy over labels, above which a network is not kept."""

SUFFIX = "-int8"


@dataclasses.dataclass(frozen=True)
class Quantized:
    """A model in eight bits.

    Attributes:
        model: Its folder.
        before: The figures of the model that it comes from, on photos that did not show the ranges.
        after: Its own, on the same photos.
    """

    model: ModelFolder
    before: Figures
    after: Figures


def quantize(
    model: ModelFolder,
    dataset: Dataset,
    name: str | None,
    settings: Settings,
    tell: Tell = lambda _done, _total: None,
) -> Quantized:
    """Write a model folder with the network in eight bits.

    What held-back photos have taught of the worth of answers is kept: the network says the same
    but for a little.

    Args:
        model: The model folder.
        dataset: Its training photos show the ranges; its test photos, or else its validation
            photos, judge.
        name: What to call it; None for the model's with ``-int8``.
        settings: For the models folder, the engine and the limits of photos.
        tell: Is told how many photos are done, of those that judge.

    Raises:
        ArgumentError: The model is so already, the name is taken, accuracy would fall by more than
            ``MOST_LOST``, or NNCF is missing.
        DatasetError: There are no photos to judge by.
        ModelFolderError: The model is damaged.
        OSError: The folder cannot be written.
    """
    if not find_spec("nncf"):
        raise ArgumentError("int8 needs nncf: pip install 'plant-classification[quantize]'.")
    name = name or f"{model.name}{SUFFIX}"
    target = check_new(name, settings.models_dir)
    judging = dataset.splits.get(TEST) or dataset.splits.get(VALIDATION)
    if not judging or not dataset.splits.get(TRAIN):
        raise DatasetError(f"{dataset.folder} has no photos to judge by beside those to train on.")
    source = core().read_model(model.file(NETWORK))
    if "FakeQuantize" in {operation.get_type_name() for operation in source.get_ops()}:
        raise ArgumentError(f"{model.name} is in eight bits already.")
    before = _figures(model, dataset, judging, settings, tell)
    shown = _shown(model, dataset.splits[TRAIN], settings)
    kept = {name: model.file(name) for name in (TRUST,) if name in model.files}
    with tempfile.TemporaryDirectory() as folder:
        network = Path(folder) / NETWORK
        save_network(_in_eight_bits(source, model, shown), network, half=True)
        parts = {NETWORK: network, NETWORK_WEIGHTS: network.with_suffix(".bin"), **kept}
        described: dict[str, Any] = {
            "architecture": model.architecture,
            "preprocessing": model.preprocessing,
            "labels": model.labels(),
            "trust": model.trust,
            "training": {
                **model.training,
                "quantized_from": f"{model.name} {model.version}",
                "quantized_by_photos": len(shown),
            },
            "files": parts,
        }
        tried = write_model_folder(Path(folder) / name, **described, metrics={})
        after = _figures(tried, dataset, judging, settings, tell)
        lost = before.macro_top_1 - after.macro_top_1
        if lost > MOST_LOST:
            raise ArgumentError(
                f"In eight bits, {model.name} has a mean accuracy over labels of "
                f"{after.macro_top_1:.2%}, not {before.macro_top_1:.2%}: more than "
                f"{100 * MOST_LOST:g} points less. Nothing was written."
            )
        metrics = {
            f"{dataset.folder.name}, {kind}": {
                name: round(value, 4)
                for name, value in dataclasses.asdict(figures).items()
                if isinstance(value, float)
            }
            for kind, figures in (("before", before), ("in eight bits", after))
        }
        made = write_model_folder(
            target, **described, metrics={**model.metrics, **metrics}, created=model.created
        )
    return Quantized(made, before, after)


def _figures(
    model: ModelFolder, dataset: Dataset, records: Records, settings: Settings, tell: Tell
) -> Figures:
    judged = judge_model(model, dataset.labels, records, settings, tell=tell)
    return figures_of(judged.predictions, judged.labels)


def _shown(model: ModelFolder, records: Records, settings: Settings) -> list[NDArray[np.float32]]:
    """Photos as the network takes them, drawn by a seed; those that cannot be read are passed."""
    rule = model.preprocessing
    found = []
    for index in np.random.default_rng(0).permutation(len(records)):
        with contextlib.suppress(PlantClassificationError):
            path = records.path(int(index))
            photo = photos.read(path, settings, shorter_side=rule.shorter_side())
            found.append(rule.normalize(rule.apply(photo.pixels)))
        if len(found) == SHOWN:
            break
    if not found:
        raise DatasetError(f"No photo of {records.root} can be read.")
    return found


def _in_eight_bits(network: Any, model: ModelFolder, shown: list[NDArray[np.float32]]) -> Any:
    size = model.preprocessing.size
    nncf = import_module("nncf")
    logging.getLogger("nncf").setLevel(logging.ERROR)
    network.reshape([1, size, size, 3])
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):  # its bars
        small = nncf.quantize(
            network,
            nncf.Dataset(shown),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(shown),
        )
    small.reshape([-1, size, size, 3])
    return small
