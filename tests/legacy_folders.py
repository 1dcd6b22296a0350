"""Model folders as the old service wrote them, made by Keras 2 itself (the package tf_keras)."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LABELS = ("Bellis perennis", "Taraxacum officinale", "Rosa canina", "Hedera helix")
MEAN = [107.6, 112.1, 81.0]
STD = [52.8, 50.6, 50.9]
MODULES = {  # of the package keras_applications, where a module is not called as its network
    "NASNetMobile": "nasnet",
    "InceptionV3": "inception_v3",
    "InceptionResNetV2": "inception_resnet_v2",
    "DenseNet121": "densenet",
    "DenseNet169": "densenet",
    "DenseNet201": "densenet",
}


def write_legacy_folder(
    folder: Path,
    modelname: str = "MobileNet",
    size: int = 64,
    labels: Sequence[str] = LABELS,
    by: str = "tf_keras",
    seed: int = 1,
) -> Any:
    """Write a model folder of the old service, with random weights.

    Args:
        folder: The folder to make; its name is the model's.
        modelname: The old service's name for the network.
        size: Side of the input in pixels.
        labels: Lines of classes.txt.
        by: Whose code makes the graph: ``"tf_keras"`` (TensorFlow 2), or ``"keras_applications"``,
            whose version 1.0.8 TensorFlow 1.14 used.
        seed: Of the weights.

    Returns:
        The tf_keras model: ``model(photos).numpy()`` are the probabilities of normalised photos.
    """
    for name in ("ckpts", "conf", "dataset_files", "stats"):
        (folder / name).mkdir(parents=True)
    with warnings.catch_warnings():  # that the form is old
        warnings.simplefilter("ignore")
        model = build(modelname, size, len(labels), by)
        fill(model, seed)
        model.save(folder / "ckpts/final_model.h5", include_optimizer=False, save_format="h5")
    conf = configuration(modelname, size, len(labels))
    (folder / "conf/conf.json").write_text(json.dumps(conf, indent=4))
    lines = [
        f"{group:<25}{key:<32}{value!s:<31}"
        for group, values in conf.items()
        for key, value in values.items()
    ]
    (folder / "conf/conf.txt").write_text("\n".join(lines) + "\n")
    dataset = {
        "classes": labels,
        "info": [f"note on {name}" for name in labels],
        "train": [f"{label}/photo_{n}.jpg {label}" for label in range(len(labels)) for n in (0, 1)],
        "val": [f"{label}/photo_2.jpg {label}" for label in range(len(labels))],
        "test": [f"{label}/photo_3.jpg {label}" for label in range(len(labels))],
    }
    for name, texts in dataset.items():
        (folder / f"dataset_files/{name}.txt").write_text("\n".join(texts) + "\n", "utf-8")
    stats = {
        "epoch": [0, 1],
        "loss": [2.9, 2.7],
        "acc": [0.5, 0.75],
        "val_loss": [2.8, 2.75],
        "val_acc": [0.25, 0.5],
        "lr": [1e-3, 1e-4],
        "training time (s)": 12.3,
        "timestamp": "2019-06-01_120000",
    }
    (folder / "stats/stats.json").write_text(json.dumps(stats, indent=4))
    return model


def build(modelname: str, size: int, labels: int, by: str) -> Any:
    """The old service's network, in Keras 2."""
    import tf_keras

    arguments: dict[str, Any] = {
        "include_top": False,
        "weights": None,
        "input_shape": (size, size, 3),
    }
    if by == "tf_keras":
        base = getattr(tf_keras.applications, modelname)(**arguments)
    else:
        module = importlib.import_module(
            f"keras_applications.{MODULES.get(modelname, modelname.lower())}"
        )
        keras2 = {
            name: getattr(tf_keras, name) for name in ("backend", "layers", "models", "utils")
        }
        base = getattr(module, modelname)(**arguments, **keras2)
    x = tf_keras.layers.GlobalAveragePooling2D(name="global_average_pooling2d")(base.output)
    x = tf_keras.layers.Dense(1024, activation="relu", name="dense")(x)
    x = tf_keras.layers.Dense(labels, activation="softmax", name="dense_1")(x)
    return tf_keras.Model(base.input, x)


def fill(model: Any, seed: int) -> None:
    """Give every weight a seeded value, so that a mistake in any of them changes the answer.

    The statistics of batch normalisation are those of drawn photos, moved a little at random; the
    last layer is scaled so that the probabilities are neither even nor certain, nor all the same.
    """
    import tf_keras

    random = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name.endswith(("gamma:0", "moving_variance:0")):
            values = random.uniform(0.8, 1.2, weight.shape)
        elif len(weight.shape) < 2:
            values = random.normal(0, 0.1, weight.shape)
        else:
            depthwise = "depthwise" in weight.name
            fan_in = np.prod(weight.shape[: 2 if depthwise else -1])
            values = random.normal(0, np.sqrt(2 / fan_in), weight.shape)
        weight.assign(values.astype(np.float32))
    photos = patches(8, model.input_shape[1], seed)
    normalizations = [layer for layer in model.layers if hasattr(layer, "moving_variance")]
    for layer in normalizations:
        layer.momentum = 0.0
    model(photos, training=True)
    for layer in normalizations:
        layer.momentum = 0.99
        variance = layer.moving_variance.numpy()
        mean, spread = layer.moving_mean.numpy(), np.sqrt(variance.mean())
        layer.moving_mean.assign(mean + random.normal(0, 0.1 * spread, mean.shape))
        wider = variance * random.uniform(0.8, 1.2, mean.shape) + 0.1 * variance.mean()
        layer.moving_variance.assign(wider)
    last = model.layers[-1]
    last.activation = tf_keras.activations.linear
    logits = model(photos).numpy()
    last.activation = tf_keras.activations.softmax
    kernel, bias = last.get_weights()
    scale, mean = 2 / (logits - logits.mean(axis=0)).std(), logits.mean(axis=0)
    last.set_weights([kernel * scale, (bias - mean) * scale])


def patches(count: int, size: int, seed: int) -> NDArray[np.float32]:
    """Inputs of coarse random patches, ``float32 (count, size, size, 3)`` in [-1, 1]."""
    coarse = np.random.default_rng(seed).uniform(-1, 1, (count, 5, 5, 3))
    places = np.arange(size) * 5 // size
    return coarse[:, places][:, :, places].astype(np.float32)


def configuration(modelname: str, size: int, labels: int) -> dict[str, dict[str, Any]]:
    """conf.json as the old service filled it in."""
    modes = {"DenseNet": "torch", "ResNet": "caffe", "VGG": "caffe"}
    mode = next((modes[start] for start in modes if modelname.startswith(start)), "tf")
    augmentation = dict.fromkeys(
        ("h_flip", "v_flip", "rot", "stretch", "zoom", "blur", "pixel_noise", "pixel_sat"), 0.1
    ) | {"rot_lim": 30, "crop": 0.9, "cutout": 0.0}
    return {
        "augmentation": {"train_mode": augmentation, "val_mode": augmentation},
        "dataset": {"mean_RGB": MEAN, "std_RGB": STD},
        "general": {"base_directory": ".", "images_directory": "data/images"},
        "model": {
            "image_size": size,
            "modelname": modelname,
            "num_classes": labels,
            "preprocess_mode": mode,
        },
        "monitor": {"use_remote": False, "use_tensorboard": True},
        "testing": {"ckpt_name": "final_model.h5", "timestamp": None},
        "training": {
            "batch_size": 16,
            "ckpt_freq": None,
            "epochs": 2,
            "initial_lr": 0.001,
            "l2_reg": 0.0001,
            "lr_schedule_mode": "step",
            "lr_step_decay": 0.1,
            "lr_step_schedule": [0.7, 0.9],
            "mode": "normal",
            "use_class_weights": False,
            "use_early_stopping": False,
            "use_multiprocessing": False,
            "use_validation": True,
        },
    }
