"""A network with ImageNet's weights as a model folder, for fast mode: converted once, then kept."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from plant_classification.errors import ModelFolderError
from plant_classification.files import locked, remove
from plant_classification.models import ModelFolder, read_model_folder, write_model_folder
from plant_classification.models.folder import KERAS_WEIGHTS, NETWORK, NETWORK_WEIGHTS
from plant_classification.openvino import save_network
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label
from plant_classification.training.start import Start

FOLDER = ".imagenet"
NO_LABEL = (Label("none", None, "none"),)
"""The head is replaced, so it needs no labels of its own."""


def imagenet_base(start: Start, settings: Settings) -> ModelFolder:
    """The network that a training starts from, in ``trainings_dir``.

    Args:
        start: From ImageNet's weights.
        settings: For ``trainings_dir``.

    Raises:
        ArgumentError: The weights, or TensorFlow, which makes the network of them, are missing.
        OSError: It cannot be written.
    """
    words = f"{start.architecture} {start.preprocessing} {start.words}"
    name = f"{start.architecture}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"
    target = settings.trainings_dir / FOLDER / name
    with locked(target.parent):
        try:
            return read_model_folder(target)
        except ModelFolderError:
            remove(target)
        return _made(start, target)


def _made(start: Start, target: Path) -> ModelFolder:
    from plant_classification.networks import build, load_imagenet
    from plant_classification.networks.export import convert

    network = build(start.architecture, len(NO_LABEL), start.preprocessing.size)
    load_imagenet(start.architecture, network, start.file)
    with tempfile.TemporaryDirectory() as made:
        xml, weights = Path(made) / NETWORK, Path(made) / KERAS_WEIGHTS
        save_network(convert(network), xml, half=False)
        network.save_weights(weights)
        return write_model_folder(
            target,
            architecture=start.architecture,
            preprocessing=start.preprocessing,
            labels=NO_LABEL,
            training={"init": start.words},
            metrics={},
            files={
                NETWORK: xml,
                NETWORK_WEIGHTS: xml.with_name(NETWORK_WEIGHTS),
                KERAS_WEIGHTS: weights,
            },
        )
