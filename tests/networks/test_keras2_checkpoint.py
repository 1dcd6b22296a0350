"""Networks of the old service, rebuilt from files that Keras 2 (tf_keras) wrote."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from legacy_folders import patches, write_legacy_folder
from numpy.typing import NDArray

from plant_classification.errors import ModelFolderError
from plant_classification.models.legacy import PREPROCESS_MODES
from plant_classification.networks.export import convert
from plant_classification.networks.keras2_checkpoint import rebuild
from plant_classification.networks.keras2_layers import read_layer
from plant_classification.openvino import save_network
from plant_classification.trust import probabilities
from recipes.export import run_network

SIZE = 32
CHECKPOINT = "ckpts/final_model.h5"

# Graphs and names of TensorFlow 1.14 that differ from those of tf_keras.
OF_OLD = ("MobileNet", "DenseNet121", "InceptionResNetV2", "ResNet50")
QUICK = ("tf_keras MobileNet", "keras_applications MobileNet", "keras_applications ResNet50")
EXPORTED = ("MobileNet", "InceptionResNetV2", "ResNet50", "Xception")


def softmax(logits: NDArray[np.float32]) -> NDArray[Any]:
    return np.asarray(probabilities(logits, 1.0))


@pytest.mark.parametrize(
    ("by", "modelname"),
    [
        pytest.param(by, name, marks=() if f"{by} {name}" in QUICK else pytest.mark.slow)
        for by, names in (("tf_keras", PREPROCESS_MODES), ("keras_applications", OF_OLD))
        for name in names
    ],
)
def test_probabilities_are_those_of_keras_2(by: str, modelname: str, tmp_path: Path) -> None:
    # An odd side, where paddings of different ages part.
    size = 97 if modelname in ("InceptionV3", "InceptionResNetV2", "Xception") else 65
    theirs = write_legacy_folder(tmp_path / "old", modelname, size, by=by)
    photos = patches(4, size, seed=9)
    expected = theirs(photos).numpy()
    assert np.ptp(expected, axis=0).max() > 0.2
    assert expected.max(axis=1).mean() < 0.99

    ours = rebuild(modelname, size, 4, tmp_path / "old" / CHECKPOINT)
    logits, features = ours(photos, training=False)
    assert features.ndim == 4
    np.testing.assert_allclose(softmax(np.asarray(logits)), expected, atol=3e-4)
    if modelname in EXPORTED and by == "tf_keras":
        save_network(convert(ours), tmp_path / "network.xml", half=False)
        logits, _ = run_network(tmp_path / "network.xml", photos)
        np.testing.assert_allclose(softmax(logits), expected, atol=3e-4)


@pytest.mark.parametrize("config", [None, "tf114_model_config.json"])
def test_the_shared_model_gives_the_golden_numbers(
    shared: Path, tmp_path: Path, config: str | None
) -> None:
    folder = shared / "fixtures/legacy_mobilenet"
    path = tmp_path / "model.h5"
    shutil.copy(folder / CHECKPOINT, path)
    path.chmod(0o600)
    if config:
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = (folder / config).read_bytes()
    golden = np.load(folder / "golden.npz")
    model = rebuild("MobileNet", 224, 10, path)
    logits, _ = model.predict_on_batch(golden["inputs"])
    np.testing.assert_allclose(logits, golden["logits"], atol=5e-4)
    np.testing.assert_allclose(softmax(logits), golden["probs"], atol=1e-4)
    logits, _ = run_network(convert(model), golden["inputs"])
    np.testing.assert_allclose(softmax(logits), golden["probs"], atol=1e-4)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole file, and beside it what it answers."""
    folder = tmp_path_factory.mktemp("whole")
    model = write_legacy_folder(folder / "old", size=SIZE)
    np.save(folder / "old/expected.npy", model(patches(4, SIZE, seed=9)).numpy())
    return folder / "old" / CHECKPOINT


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copy(original, tmp_path / "model.h5"))


def answer(path: Path) -> NDArray[Any]:
    logits, _ = rebuild("MobileNet", SIZE, 4, path)(patches(4, SIZE, seed=9), training=False)
    return softmax(np.asarray(logits))


def expected_of(original: Path) -> NDArray[Any]:
    return np.asarray(np.load(original.parents[1] / "expected.npy"))


def change_config(file: h5py.File, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the layers of ``model_config``, by name."""
    config = json.loads(file.attrs["model_config"])
    change({layer["name"]: layer for layer in config["config"]["layers"]})
    file.attrs["model_config"] = json.dumps(config)


def setting(layer: str, **values: Any) -> Callable[[h5py.File], None]:
    return lambda file: change_config(file, lambda layers: layers[layer]["config"].update(values))


def described_as(layer: str, **values: Any) -> Callable[[h5py.File], None]:
    return lambda file: change_config(file, lambda layers: layers[layer].update(values))


def replace(file: h5py.File, name: str, **dataset: Any) -> None:
    """Put another dataset in the place of one in ``model_weights``."""
    del file[f"model_weights/{name}"]
    file[f"model_weights/{name.rpartition('/')[0]}"].create_dataset(
        name.rpartition("/")[2], **dataset
    )


KERNEL = "conv1/conv1/kernel:0"


def split_names(file: h5py.File) -> None:
    """Split the long attribute, as Keras does over 64 KB."""
    names = file["model_weights"].attrs.pop("layer_names")
    for number, part in enumerate(np.array_split(names.astype("S"), 3)):
        file["model_weights"].attrs[f"layer_names{number}"] = part


def store_as(dtype: str) -> Callable[[h5py.File], None]:
    def store(file: h5py.File) -> None:
        replace(file, KERNEL, data=file[f"model_weights/{KERNEL}"][()].astype(dtype))

    return store


def repeat_scopes(file: h5py.File) -> None:
    """Name weights as TensorFlow 1 did in a graph where the name was taken."""
    group = file["model_weights/conv1"]
    group.move("conv1", "conv1_1")
    group.attrs["weight_names"] = [b"conv1_1/kernel:0"]


@pytest.mark.parametrize(
    ("change", "tolerance"),
    [
        (split_names, 3e-5),
        (store_as("f8"), 3e-5),
        (store_as("f2"), 3e-2),
        (store_as(">f4"), 3e-5),
        (repeat_scopes, 3e-5),
        (described_as("conv1_bn", class_name="BatchNormalizationV1"), 3e-5),
        (setting("conv1_bn", axis=3), 3e-5),
    ],
    ids=["split names", "float64", "float16", "big-endian", "scopes", "an old class", "axis"],
)
def test_what_other_versions_of_keras_write_is_read_too(
    path: Path, original: Path, change: Callable[[h5py.File], None], tolerance: float
) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    np.testing.assert_allclose(answer(path), expected_of(original), atol=tolerance)


@pytest.mark.parametrize(
    "change",
    [
        setting("conv1_bn", epsilon=0.3),
        setting("conv_dw_3_relu", max_value=0.5),
        setting("conv_pw_2", activation="relu"),
        setting("conv_pad_2", padding=[[1, 0], [1, 0]]),
        setting("conv_dw_3", dilation_rate=[2, 2]),
    ],
    ids=["epsilon", "max_value", "activation", "padding", "dilation_rate"],
)
def test_the_settings_of_the_file_are_honoured(
    path: Path, original: Path, change: Callable[[h5py.File], None]
) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    assert np.abs(answer(path) - expected_of(original)).max() > 1e-3


def test_a_checkpoint_of_a_training_is_read_without_its_optimizer(path: Path) -> None:
    import tf_keras

    model = tf_keras.models.load_model(path, compile=False)
    model.compile("adam", "categorical_crossentropy", run_eagerly=True)
    photos = patches(4, SIZE, seed=9)
    model.train_on_batch(photos, np.eye(4, dtype=np.float32))
    checkpoint = path.with_name("epoch-01.hdf5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(checkpoint)
    with h5py.File(checkpoint) as file:
        assert "optimizer_weights" in file
    np.testing.assert_allclose(answer(checkpoint), model(photos).numpy(), atol=3e-4)


def delete(name: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(name)


def link(make: Callable[[], Any]) -> Callable[[h5py.File], None]:
    def put(file: h5py.File) -> None:
        del file[f"model_weights/{KERNEL}"]
        file[f"model_weights/{KERNEL}"] = make()

    return put


def remove_block(file: h5py.File) -> None:
    """Take a convolution and what follows it out of the graph and out of the weights."""
    gone = ("conv_pw_11", "conv_pw_11_bn", "conv_pw_11_relu")
    config = json.loads(file.attrs["model_config"])
    layers = config["config"]["layers"]
    config["config"]["layers"] = [layer for layer in layers if layer["name"] not in gone]
    after = next(layer for layer in layers if layer["name"] == "conv_pad_12")
    after["inbound_nodes"] = [[["conv_dw_11_relu", 0, 0, {}]]]
    file.attrs["model_config"] = json.dumps(config)
    weights = file["model_weights"]
    weights.attrs["layer_names"] = [n for n in weights.attrs["layer_names"] if n not in gone]


def add_layer(file: h5py.File) -> None:
    weights = file["model_weights"]
    weights["extra/extra/kernel:0"] = np.zeros((2, 2), "f4")
    weights["extra"].attrs["weight_names"] = ["extra/kernel:0"]
    weights.attrs["layer_names"] = [*weights.attrs["layer_names"], "extra"]


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 3, 3, 32), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "kernel", (3, 3, 3, 32))
    del file[f"model_weights/{KERNEL}"]
    file["model_weights/conv1/conv1"].create_virtual_dataset("kernel:0", layout)


def kernel(**dataset: Any) -> Callable[[h5py.File], None]:
    return lambda file: replace(file, KERNEL, **dataset)


SHAPE = (3, 3, 3, 32)
LAMBDA = {"function": ["gASVAA==", None, None], "function_type": "lambda", "arguments": {}}
BROKEN: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "weights alone": (
        lambda file: file.attrs.__delitem__("model_config"),
        "it lacks model_config or model_weights, .* save the whole model",
    ),
    "no weights": (delete("model_weights"), "it lacks model_config or model_weights"),
    "description is no JSON": (
        lambda file: file.attrs.__setitem__("model_config", "{"),
        "it is damaged .* copy it again",
    ),
    "another kind of model": (
        lambda file: file.attrs.__setitem__("model_config", '{"class_name": "Sequential"}'),
        "model_config is none that Keras 2 writes",
    ),
    "a Lambda": (
        described_as("conv_dw_2_relu", class_name="Lambda", config=LAMBDA),
        "layer 'conv_dw_2_relu' is a Lambda, whose code lies in the file and is never run",
    ),
    "an unknown layer": (
        described_as("conv_dw_2_relu", class_name="LeakyReLU"),
        "layer 'conv_dw_2_relu' of the class 'LeakyReLU'",
    ),
    "an activation as an object": (
        setting("conv1", activation={"class_name": "Custom>evil", "config": {}}),
        r"layer 'conv1' \(Conv2D\) with activation = ",
    ),
    "channels first": (setting("conv1", data_format="channels_first"), "with data_format = "),
    "an unknown setting": (setting("conv1_bn", renorm=True), "with renorm = True"),
    "groups": (setting("conv1", groups=4), "with groups = 4"),
    "a layer used twice": (
        described_as("conv1_bn", inbound_nodes=[[["conv1", 0, 0, {}]], [["conv1", 0, 0, {}]]]),
        "model_config is none that Keras 2 writes",
    ),
    "a layer that leads nowhere": (
        described_as("conv_pad_2", inbound_nodes=[[["conv_pw_1_bn", 0, 0, {}]]]),
        "conv_pw_1_relu leads nowhere",
    ),
    "a layer that takes a later one": (
        described_as("conv1_bn", inbound_nodes=[[["conv_pw_9", 0, 0, {}]]]),
        "the inputs of conv1_bn",
    ),
    "an impossible window": (
        setting("conv1", kernel_size=[999, 999], padding="valid"),
        r"layer 'conv1' \(Conv2D\)",
    ),
    "a huge layer": (
        setting("conv1", filters=1 << 20),
        r"kernel of layer 'conv1' .* \(3, 3, 3, 32\) and not \(3, 3, 3, 1048576\)",
    ),
    "another end": (setting("dense", units=512), "does not end in global average pooling"),
    "no softmax": (setting("dense_1", activation="linear"), "does not end in global average"),
    "a layer's weights are gone": (
        delete("model_weights/conv_pw_5"),
        "it lacks 'conv_pw_5' in '/model_weights'; copy it again",
    ),
    "a weight is gone": (
        lambda file: file["model_weights/conv_pw_5"].attrs.__setitem__("weight_names", []),
        r"layer 'conv_pw_5' \(Conv2D\) has the weights \[\] and not \[kernel\]",
    ),
    "a layer is gone from both": (remove_block, r"and MobileNet has 3,228,864; correct modelname"),
    "weights of one more layer": (
        add_layer,
        "it holds weights of a layer 'extra' that its model_config does not name; copy it again",
    ),
    "swapped axes": (
        lambda file: replace(
            file, KERNEL, data=file[f"model_weights/{KERNEL}"][()].transpose(3, 2, 1, 0)
        ),
        r"kernel of layer 'conv1' \(Conv2D\) has the shape \(32, 3, 3, 3\) and not",
    ),
    "NaN": (kernel(data=np.full(SHAPE, np.nan, "f4")), "holds NaN or infinite numbers"),
    "too large for float32": (kernel(data=np.full(SHAPE, 1e300)), "NaN or infinite numbers"),
    "whole numbers": (kernel(data=np.ones(SHAPE, "i4")), "holds int32, and not float16"),
    "no numbers": (kernel(data=h5py.Empty("f4")), "it is damaged|is virtual, compressed"),
    "a shape of terabytes": (
        kernel(shape=(1 << 20, 1 << 20), dtype="f4"),
        "weights are larger than the file",
    ),
    "an external link": (
        link(lambda: h5py.ExternalLink("/etc/hostname", "/kernel")),
        "'kernel:0' in '/model_weights/conv1/conv1' is a link to elsewhere",
    ),
    "a soft link": (
        link(lambda: h5py.SoftLink("/model_weights/conv_pw_1/conv_pw_1/kernel:0")),
        "is a link to elsewhere, which is never followed",
    ),
    "a virtual dataset": (virtual, "is virtual, compressed or stored in another file"),
    "external storage": (
        kernel(shape=SHAPE, dtype="f4", external=[("/etc/hostname", 0, 3456)]),
        "is virtual, compressed or stored in another file",
    ),
    "compressed": (
        kernel(data=np.zeros(SHAPE, "f4"), compression="gzip"),
        "is virtual, compressed or stored in another file",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_refused_in_one_sentence(path: Path, kind: str) -> None:
    change, sentence = BROKEN[kind]
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ModelFolderError, match=sentence) as refused:
        rebuild("MobileNet", SIZE, 4, path)
    message = refused.value.message
    assert message.startswith(f"{path}: ")
    assert message.endswith(".")
    assert message.isprintable()
    assert len(message) < len(str(path)) + 500


@pytest.mark.parametrize("length", [0, 100, 5_000, 1_000_000, -1])
def test_a_file_cut_short_is_refused(path: Path, length: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:length])
    with pytest.raises(ModelFolderError, match=r"not an HDF5 file, or was cut short .* copy it"):
        rebuild("MobileNet", SIZE, 4, path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "model.h5"):
        with pytest.raises(ModelFolderError, match="it is missing, or no plain file"):
            rebuild("MobileNet", SIZE, 4, path)


@pytest.mark.parametrize(
    ("modelname", "size", "labels", "sentence"),
    [
        ("MobileNet", SIZE, 5, "last layer has 4 outputs, and classes.txt has 5 lines; put"),
        ("MobileNet", 64, 4, "photos of 32x32 pixels, and conf.json has image_size = 64"),
        ("VGG16", SIZE, 4, "it has 3,228,864 parameters .* VGG16 has 14,714,688; correct model"),
    ],
)
def test_a_file_that_does_not_fit_its_folder_is_refused(
    original: Path, modelname: str, size: int, labels: int, sentence: str
) -> None:
    with pytest.raises(ModelFolderError, match=sentence):
        rebuild(modelname, size, labels, original)


@pytest.mark.parametrize(
    ("name", "arguments", "modelname"),
    [
        ("block35_1", {"scale": 0.17}, "MobileNet"),
        ("lambda_1", {"scale": 0.17}, "InceptionResNetV2"),
        ("block35_1", {"scale": 0.17, "more": 1}, "InceptionResNetV2"),
    ],
)
def test_a_lambda_is_refused_unless_it_is_the_scaling_of_inception_resnet(
    name: str, arguments: dict[str, float], modelname: str
) -> None:
    layer = {
        "name": name,
        "class_name": "Lambda",
        "config": LAMBDA | {"arguments": arguments},
        "inbound_nodes": [[["a", 0, 0, {}], ["b", 0, 0, {}]]],
    }
    with pytest.raises(ModelFolderError, match="is a Lambda, whose code lies in the file"):
        read_layer(layer, modelname)
    layer |= {"name": "block35_1", "config": LAMBDA | {"arguments": {"scale": 0.17}}}
    assert read_layer(layer, "InceptionResNetV2").settings == {"scale": 0.17}
