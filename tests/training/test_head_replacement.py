"""Another last layer for the starter's network, in OpenVINO and in Keras's weights."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from plant_classification import Classifier
from plant_classification.errors import ModelFolderError
from plant_classification.inference.engine import Engine
from plant_classification.inference.head import Head, read_head
from plant_classification.models import ModelFolder, write_model_folder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.models.folder import KERAS_WEIGHTS, NETWORK, NETWORK_WEIGHTS
from plant_classification.openvino import core, import_openvino
from plant_classification.training.head_replacement import replace_head

LABELS, CHANNELS = 5, 1280
STARTER = Classifier.load().folder


@pytest.fixture
def head() -> Head:
    random = np.random.default_rng(0)
    kernel = random.normal(size=(CHANNELS, LABELS)).astype(np.float32)
    return Head(kernel, random.normal(size=LABELS).astype(np.float32))


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    side = STARTER.preprocessing.size
    return np.random.default_rng(1).integers(0, 256, (3, side, side, 3), np.uint8)


def outputs(network: Path, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Logits, and the mean of the last feature map, in float32."""
    logits, features = Engine(network, STARTER.preprocessing, "f32")(pixels)
    return [logits, features.mean(axis=(1, 2))]


def base_of(folder: Path, change: Callable[[Any], None], *, half: bool) -> ModelFolder:
    """A model folder with the starter's network, changed."""
    openvino = import_openvino()
    made = folder / "made"
    made.mkdir()
    network = core().read_model(STARTER_FOLDER / NETWORK)
    change(network)
    openvino.save_model(network, made / NETWORK, compress_to_fp16=half)
    return folder_of(made)


def folder_of(made: Path) -> ModelFolder:
    """A model folder with these files, which are otherwise the starter's."""
    return write_model_folder(
        made.with_name("base"),
        architecture=STARTER.architecture,
        preprocessing=STARTER.preprocessing,
        labels=STARTER.labels(),
        training={},
        metrics={},
        files={file.name: file for file in made.iterdir()},
    )


def in_float32(folder: Path) -> ModelFolder:
    """The starter with weights that are kept as float32."""

    def widen(network: Any) -> None:
        for node in network.get_ops():
            source = node.input_value(0).get_node() if node.inputs() else node
            if node.get_type_name() == "Convert" and source.get_type_name() == "Constant":
                values = source.get_data().astype(np.float32)
                node.output(0).replace(import_openvino().opset13.constant(values).output(0))

    return base_of(folder, widen, half=False)


def test_the_logits_are_the_new_ones_and_the_features_stay(
    tmp_path: Path, head: Head, pixels: NDArray[np.uint8]
) -> None:
    base = in_float32(tmp_path)
    network, weights = replace_head(base, head, tmp_path)
    logits, means = outputs(network, pixels)
    np.testing.assert_allclose(logits, head(means), atol=1e-4)
    np.testing.assert_allclose(means, outputs(base.path / NETWORK, pixels)[1], atol=1e-5)
    assert weights is None
    assert network.with_suffix(".bin").stat().st_size > 13_000_000


def test_what_was_kept_as_float16_stays_so(
    tmp_path: Path, head: Head, pixels: NDArray[np.uint8]
) -> None:
    network, _ = replace_head(STARTER, head, tmp_path)
    size = network.with_suffix(".bin").stat().st_size
    fewer = 2 * CHANNELS * (STARTER.label_count - LABELS)
    assert size == pytest.approx(STARTER.files[NETWORK_WEIGHTS].bytes - fewer, abs=5000)
    logits, means = outputs(network, pixels)
    np.testing.assert_allclose(logits, head(means), atol=0.05)
    np.testing.assert_array_equal(means, outputs(STARTER.path / NETWORK, pixels)[1])


def test_a_head_is_read_as_it_was_written(tmp_path: Path, head: Head) -> None:
    network, _ = replace_head(in_float32(tmp_path), head, tmp_path)
    (found,) = read_head(network)
    np.testing.assert_array_equal(found.kernel, head.kernel)
    np.testing.assert_array_equal(found.bias, head.bias)


def test_the_starters_head_is_read(pixels: NDArray[np.uint8]) -> None:
    logits, means = outputs(STARTER.path / NETWORK, pixels)
    (found,) = read_head(STARTER.path / NETWORK)
    np.testing.assert_allclose(found(means), logits, atol=1e-4)


def test_a_network_with_a_hidden_layer_gets_a_plain_head(
    tmp_path: Path, head: Head, pixels: NDArray[np.uint8]
) -> None:
    base = base_of(tmp_path, hide, half=True)
    with pytest.raises(ValueError, match="no function of the mean of the features"):
        read_head(base.path / NETWORK)
    network, _ = replace_head(base, head, tmp_path)
    logits, means = outputs(network, pixels)
    np.testing.assert_allclose(logits, head(means), atol=0.05)


def test_a_hidden_dense_layer_is_read(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    base = base_of(tmp_path, hide_dense, half=True)
    first, last = read_head(base.path / NETWORK)
    logits, means = outputs(base.path / NETWORK, pixels)
    np.testing.assert_allclose(last(np.maximum(first(means), 0)), logits, atol=0.05)


def hide_dense(network: Any) -> None:
    """Put a dense layer with ReLU after the mean, as the old service's networks have one."""
    operations = import_openvino().opset13
    random = np.random.default_rng(8)
    product = network.output("logits").node.input_value(0).get_node().input_value(0).get_node()
    mean = product.input_value(0)
    width = mean.get_partial_shape()[-1].get_length()
    kernel = np.float32(random.normal(size=(width, width)) / width**0.5)
    bias = np.float32(random.normal(size=(1, width)))
    hidden = operations.matmul(mean, operations.constant(kernel), False, False)
    hidden = operations.relu(operations.add(hidden, operations.constant(bias)))
    product.input(0).replace_source_output(hidden.output(0))


def hide(network: Any) -> None:
    """Put something after the mean that no head of ours has."""
    operations = import_openvino().opset13
    product = network.output("logits").node.input_value(0).get_node()
    hidden = operations.relu(operations.negative(product.input_value(0)))
    product.input(0).replace_source_output(hidden.output(0))


def test_kerass_weights_get_the_same_head_and_keep_the_rest(tmp_path: Path, head: Head) -> None:
    _, weights = replace_head(STARTER, head, tmp_path)
    assert weights == tmp_path / KERAS_WEIGHTS
    with h5py.File(weights) as new, h5py.File(STARTER.path / KERAS_WEIGHTS) as old:
        names: list[str] = []
        old.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        for name in names:
            if name.startswith("layers/dense/"):
                expected = (head.kernel, head.bias)[int(name[-1])]
                np.testing.assert_array_equal(new[name][()], expected.astype(np.float16))
            else:
                np.testing.assert_array_equal(new[name][()], old[name][()])
            assert new[name].dtype == old[name].dtype
        assert len(names) > 100


@pytest.mark.slow
def test_keras_loads_them_and_gives_what_openvino_gives(
    tmp_path: Path, head: Head, pixels: NDArray[np.uint8]
) -> None:
    from plant_classification.networks import build

    network, weights = replace_head(STARTER, head, tmp_path)
    rule = STARTER.preprocessing
    model = build(STARTER.architecture, LABELS, rule.size)
    model.load_weights(weights)
    expected = model.predict_on_batch(rule.normalize(pixels))[0]
    np.testing.assert_allclose(outputs(network, pixels)[0], expected, atol=0.1)


def test_weights_with_two_dense_layers_are_left_out(tmp_path: Path, head: Head) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for name in (NETWORK, NETWORK_WEIGHTS, KERAS_WEIGHTS):
        (made / name).write_bytes((STARTER_FOLDER / name).read_bytes())
    with h5py.File(made / KERAS_WEIGHTS, "r+") as file:
        file["layers"].copy("dense", "dense_1")
    base = folder_of(made)
    assert replace_head(base, head, tmp_path)[1] is None
    assert not (tmp_path / KERAS_WEIGHTS).exists()


def test_a_damaged_base_is_refused(tmp_path: Path, head: Head) -> None:
    base = in_float32(tmp_path)
    content = bytearray((base.path / NETWORK_WEIGHTS).read_bytes())
    content[1000] ^= 1
    (base.path / NETWORK_WEIGHTS).write_bytes(content)
    with pytest.raises(ModelFolderError, match=r"network\.bin is not the file"):
        replace_head(base, head, tmp_path)


def test_a_disk_that_gets_full_is_an_error_in_order(tmp_path: Path, head: Head) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (STARTER.files[KERAS_WEIGHTS].bytes + 10_000, hard)
    )  # which is as if there were room for the copy alone
    try:
        with pytest.raises(OSError, match="File too large"):
            replace_head(STARTER, head, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_labels_can_be_as_many_as_the_old_ones_or_more(
    tmp_path: Path, pixels: NDArray[np.uint8]
) -> None:
    for count in (1, STARTER.label_count, 500):
        made = tmp_path / str(count)
        made.mkdir()
        kernel = np.random.default_rng(count).normal(size=(CHANNELS, count)).astype(np.float32)
        head = Head(kernel, np.zeros(count, np.float32))
        network, weights = replace_head(STARTER, head, made)
        assert outputs(network, pixels)[0].shape == (3, count)
        assert weights is not None
        with h5py.File(weights) as file:
            assert file["layers/dense/vars/0"].shape == (CHANNELS, count)
