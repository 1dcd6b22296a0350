"""A network of a thousand weights in OpenVINO alone: enough to tell drawn plants apart, at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plant_classification.models import ModelFolder, write_model_folder
from plant_classification.models.folder import NETWORK, NETWORK_WEIGHTS
from plant_classification.openvino import import_openvino, save_network
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.taxonomy import label_of
from plant_classification.trust import TrustRules

SIZE, CHANNELS = 32, 24
RULE = Preprocessing(SIZE)
LABELS = (label_of("Rosa canina", "Rosaceae"), label_of("Viola odorata", "Violaceae"))


def write_tiny_model(path: Path, seed: int = 0, trust: TrustRules | None = None) -> ModelFolder:
    """A model folder with a network of random filters and a random head."""
    openvino = import_openvino()
    operations = openvino.opset13
    random = np.random.default_rng(seed)
    filters = random.normal(size=(CHANNELS, 3, 8, 8)).astype(np.float32) / 8
    kernel = random.normal(size=(CHANNELS, len(LABELS))).astype(np.float32)
    image = operations.parameter([-1, SIZE, SIZE, 3], np.float32, name="image")
    planes = operations.transpose(image, np.array([0, 3, 1, 2]))
    maps = operations.convolution(planes, filters, [4, 4], [0, 0], [0, 0], [1, 1])
    features = operations.transpose(operations.relu(maps), np.array([0, 2, 3, 1]))
    mean = operations.reduce_mean(features, np.array([1, 2]), keep_dims=False)
    logits = operations.matmul(mean, operations.constant(kernel), False, False)
    logits = operations.add(logits, operations.constant(np.zeros(len(LABELS), np.float32)))
    results = [operations.result(logits), operations.result(features)]
    network = openvino.Model(results, [image], "tiny")
    for output, name in zip(network.outputs, ("logits", "features"), strict=True):
        output.get_tensor().set_names({name})
    made = path.with_name(f"{path.name}-made")
    made.mkdir(parents=True)
    save_network(network, made / NETWORK, half=False)
    return write_model_folder(
        path,
        architecture="mobilenet",
        preprocessing=RULE,
        labels=LABELS,
        trust=trust,
        training={},
        metrics={},
        files={name: made / name for name in (NETWORK, NETWORK_WEIGHTS)},
    )
