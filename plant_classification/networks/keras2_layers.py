"""The layers of the old service's networks: what Keras 2 writes of each, made with Keras 3.

Every setting that changes results is known here, with the values that it may have, and is handed to
Keras 3; a layer or a setting that is not known is refused. So no value of a file reaches Keras
unchecked, and no code in it is run.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import keras

from plant_classification.errors import ModelFolderError

Settings: TypeAlias = Mapping[str, Any]
Shapes: TypeAlias = dict[str, tuple[int, ...]]
Check: TypeAlias = Callable[[Any], Any]
"""What Keras 3 takes for a setting; raises ``ValueError`` or the like where it cannot be used."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A class of layers.

    Attributes:
        settings: The settings that change results.
        shapes: The shapes of its weights, from the settings and the number of channels of the
            input; by the names that Keras 2 gives them, in Keras's order.
        least_inputs: How many inputs it takes at least.
        most_inputs: And at most.
    """

    settings: Mapping[str, Check]
    shapes: Callable[[Settings, int], Shapes] = lambda _settings, _channels: {}
    least_inputs: int = 1
    most_inputs: int = 1


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer as a file describes it, checked.

    Attributes:
        name: Its name in the file.
        kind: Its class, by today's name.
        settings: What it is made with; those that the file leaves out have Keras's defaults.
        inputs: Names of the layers whose output it takes.
    """

    name: str
    kind: str
    settings: Settings
    inputs: tuple[str, ...]

    def weight_shapes(self, channels: int) -> Shapes:
        """The shapes of its weights for so many channels of the input."""
        return KINDS[self.kind].shapes(self.settings, channels)

    def make(self, name: str) -> Callable[[Any], Any]:
        """The layer in Keras 3."""
        if self.kind != "CustomScaleLayer":
            made: Callable[[Any], Any] = getattr(keras.layers, self.kind)(
                **self.settings, name=name
            )
            return made
        rescale = keras.layers.Rescaling(self.settings["scale"], name=f"{name}_scale")
        add = keras.layers.Add(name=name)
        return lambda inputs: add([inputs[0], rescale(inputs[1])])


def read_layer(description: Any, modelname: str) -> Layer:
    """Check a layer's description.

    Args:
        description: An item of the list ``layers`` in ``model_config``.
        modelname: The old service's name for the network.

    Raises:
        ModelFolderError: No network of the old service has such a layer.
        KeyError, TypeError, ValueError, AttributeError: Keras writes no such description.
    """
    name, kind, config = (description[key] for key in ("name", "class_name", "config"))
    nodes = description["inbound_nodes"]
    if kind == "Lambda":
        kind, config = "CustomScaleLayer", _read_lambda(name, config, modelname)
    kind = ALIASES.get(kind, kind)
    if kind not in KINDS or not _NAME.fullmatch(name):
        raise ModelFolderError(_unknown(f"layer {name!r:.100} of the class {kind!r:.100}"))
    (inputs,) = nodes or [[]]
    known = KINDS[kind]
    if not known.least_inputs <= len(inputs) <= known.most_inputs:
        raise ModelFolderError(_unknown(f"layer {name!r} ({kind}) with {len(inputs)} inputs"))
    if any(input_[1:] != [0, 0, {}] for input_ in inputs):
        raise ModelFolderError(_unknown(f"layer {name!r} ({kind}) with arguments"))
    settings = {}
    for key, value in config.items():
        if key in WITHOUT_EFFECT or key.endswith(OF_TRAINING):
            continue
        try:
            if key in known.settings:
                settings[key] = known.settings[key](value)
            else:
                FIXED.get(key, _absent)(value)
        except (ValueError, TypeError, OverflowError):
            setting = f"{key[:100]} = {value!r:.100}"
            raise ModelFolderError(_unknown(f"layer {name!r} ({kind}) with {setting}")) from None
    return Layer(name, kind, settings, tuple(input_[0] for input_ in inputs))


def _read_lambda(name: str, config: Any, modelname: str) -> Settings:
    """The settings of a Lambda that adds two inputs, the second one scaled (InceptionResNetV2)."""
    is_scaling = modelname == "InceptionResNetV2" and _SCALING.fullmatch(name)
    if not is_scaling or set(config["arguments"]) != {"scale"}:
        raise ModelFolderError(
            f"layer {name!r:.100} is a Lambda, whose code lies in the file and is never run; "
            "save the model without it."
        )
    return {"scale": config["arguments"]["scale"]}


def _unknown(what: str) -> str:
    return (
        f"it has a {what}, and no network of the old service has one; "
        "only those can be served from such a file."
    )


def _whole(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 1 << 20:
        raise ValueError
    return value


def _pair(value: Any) -> tuple[int, int]:
    first, second = value
    return _whole(first), _whole(second)


def _margins(value: Any) -> tuple[tuple[int, int], ...]:
    if any(type(width) is not int or not 0 <= width < 16 for sides in value for width in sides):
        raise ValueError
    (top, bottom), (left, right) = value
    return (top, bottom), (left, right)


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _number_or_none(value: Any) -> float | None:
    return None if value is None else _number(value)


def _one_of(*choices: Any) -> Check:
    def check(value: Any) -> Any:
        if value not in choices:
            raise ValueError
        return value

    return check


def _last_axis(value: Any) -> int:
    _one_of(3, -1, [3], [-1])(value)
    return -1


def _image_shape(value: Any) -> tuple[int | None, int | None]:
    batch, height, width, channels = value
    if batch is not None or channels != 3:
        raise ValueError
    return height and _whole(height), width and _whole(width)


_absent = _one_of(None, False)
_flag = _one_of(True, False)


def _convolution_shapes(settings: Settings, channels: int) -> Shapes:
    filters = settings["filters"]
    kernel = {"kernel": (*settings["kernel_size"], channels, filters)}
    return kernel | _bias_shape(settings, filters)


def _depthwise_shapes(settings: Settings, channels: int) -> Shapes:
    multiplier = settings.get("depth_multiplier", 1)
    kernel = {"depthwise_kernel": (*settings["kernel_size"], channels, multiplier)}
    return kernel | _bias_shape(settings, channels * multiplier)


def _separable_shapes(settings: Settings, channels: int) -> Shapes:
    filters, multiplier = settings["filters"], settings.get("depth_multiplier", 1)
    kernels = {
        "depthwise_kernel": (*settings["kernel_size"], channels, multiplier),
        "pointwise_kernel": (1, 1, channels * multiplier, filters),
    }
    return kernels | _bias_shape(settings, filters)


def _normalization_shapes(settings: Settings, channels: int) -> Shapes:
    names = ["gamma"] if settings.get("scale", True) else []
    names += ["beta"] if settings.get("center", True) else []
    return dict.fromkeys([*names, "moving_mean", "moving_variance"], (channels,))


def _dense_shapes(settings: Settings, channels: int) -> Shapes:
    units = settings["units"]
    return {"kernel": (channels, units)} | _bias_shape(settings, units)


def _bias_shape(settings: Settings, channels: int) -> Shapes:
    return {"bias": (channels,)} if settings.get("use_bias", True) else {}


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,199}")
_SCALING = re.compile(r"block(35|17|8)_\d+")
ALIASES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Custom>CustomScaleLayer": "CustomScaleLayer",
}
WITHOUT_EFFECT = {"name", "trainable", "dtype", "momentum"}
OF_TRAINING = ("_initializer", "_regularizer", "_constraint")
FIXED = {"data_format": _one_of("channels_last"), "groups": _one_of(1)}
"""Settings that have one value in all these networks; any other unknown one must be off."""

_ACTIVATION = {"activation": _one_of("linear", "relu", "softmax")}
_WINDOW = {"strides": _pair, "padding": _one_of("same", "valid")}
_CONVOLUTION = (
    _ACTIVATION | _WINDOW | {"kernel_size": _pair, "dilation_rate": _pair, "use_bias": _flag}
)
_FILTERS = {"filters": _whole}
_MULTIPLIER = {"depth_multiplier": _whole}
KINDS = {
    "InputLayer": Kind({"batch_input_shape": _image_shape}, least_inputs=0, most_inputs=0),
    "Conv2D": Kind(_CONVOLUTION | _FILTERS, _convolution_shapes),
    "DepthwiseConv2D": Kind(_CONVOLUTION | _MULTIPLIER, _depthwise_shapes),
    "SeparableConv2D": Kind(_CONVOLUTION | _FILTERS | _MULTIPLIER, _separable_shapes),
    "BatchNormalization": Kind(
        {"axis": _last_axis, "epsilon": _number, "center": _flag, "scale": _flag},
        _normalization_shapes,
    ),
    "Dense": Kind(_ACTIVATION | {"units": _whole, "use_bias": _flag}, _dense_shapes),
    "Activation": Kind(_ACTIVATION),
    "ReLU": Kind({"max_value": _number_or_none, "negative_slope": _number, "threshold": _number}),
    "ZeroPadding2D": Kind({"padding": _margins}),
    "Cropping2D": Kind({"cropping": _margins}),
    "MaxPooling2D": Kind(_WINDOW | {"pool_size": _pair}),
    "AveragePooling2D": Kind(_WINDOW | {"pool_size": _pair}),
    "GlobalAveragePooling2D": Kind({}),
    "Add": Kind({}, least_inputs=2, most_inputs=2),
    "Concatenate": Kind({"axis": _last_axis}, least_inputs=2, most_inputs=9),
    "CustomScaleLayer": Kind({"scale": _number}, least_inputs=2, most_inputs=2),
}
