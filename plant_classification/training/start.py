"""What a training starts from: a model, the weights of ImageNet, or nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from plant_classification.errors import ArgumentError, PlantClassificationError
from plant_classification.files import sha256
from plant_classification.models import IMAGENET, NOTHING, ModelFolder, model_at, ready
from plant_classification.models.folder import KERAS_WEIGHTS
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.settings import Settings
from plant_classification.training.config import TrainingConfig

FAST = "fast"
DEFAULT_NETWORKS = {"normal": "xception", FAST: "efficientnet_lite0"}
WEIGHT_SUFFIXES = (".h5", ".pth")


@dataclasses.dataclass(frozen=True)
class Start:
    """What a training starts from.

    Attributes:
        architecture: Name in the registry of networks.
        preprocessing: How the network will want its photos.
        model: The model whose weights are taken, or None.
        file: A file of ImageNet weights, or None for those that are published.
        words: The same for people and for the record: ``imagenet``, ``starter 0f3a...``.
    """

    architecture: str
    preprocessing: Preprocessing
    model: ModelFolder | None
    file: Path | None
    words: str

    @property
    def is_imagenet(self) -> bool:
        """Whether the weights of ImageNet are taken."""
        return self.model is None and self.words != NOTHING


def find_start(config: TrainingConfig, settings: Settings) -> Start:
    """Find what the options ``init``, ``modelname`` and ``image_size`` ask for.

    Raises:
        ArgumentError: There is no such network, model or file, they contradict each other, or what
            is needed is not installed.
    """
    found = _start(config, settings)
    rule = found.preprocessing
    changed = dataclasses.replace(
        rule,
        size=config.image_size or rule.size,
        mean=_ordered(config.mean_RGB, rule) or rule.mean,
        scale=_ordered(config.std_RGB, rule) or rule.scale,
    )
    if config.mode == FAST and changed != rule:
        raise ArgumentError(
            "image_size, mean_RGB and std_RGB belong to the network, which fast mode does not "
            "change: leave them out, or use mode 'normal'.",
            field="mode",
        )
    if config.image_size is not None and config.mode != FAST:
        _check_size(found.architecture, config.image_size)
    return dataclasses.replace(found, preprocessing=changed)


def _check_size(architecture: str, size: int) -> None:
    from plant_classification.networks import find_architecture

    minimum = find_architecture(architecture).minimum
    if size < minimum:
        raise ArgumentError(
            f"image_size must be at least {minimum} for {architecture}, not {size}.",
            field="image_size",
        )


def _start(config: TrainingConfig, settings: Settings) -> Start:
    if config.extend is not None:
        return _extended(config, config.extend, settings)
    init = config.init
    if init == NOTHING and config.mode == FAST:
        raise ArgumentError(
            "Fast mode trains the head alone: init must be 'imagenet', 'starter' or a model.",
            field="init",
        )
    is_file = init.endswith(WEIGHT_SUFFIXES)
    if is_file and not Path(init).is_file():
        raise ArgumentError(f"init: {init} does not exist.", field="init")
    if is_file or init in (IMAGENET, NOTHING):
        name = (config.modelname or DEFAULT_NETWORKS[config.mode]).lower()
        file = Path(init) if is_file else None
        words = f"{IMAGENET} ({file.name} {sha256(file)[:12]})" if file else init
        return Start(name, _preprocessing_of(name, is_random=init == NOTHING), None, file, words)
    return _from_model(config, init, "init", settings)


def _extended(config: TrainingConfig, name: str, settings: Settings) -> Start:
    """The model that is extended keeps its network, so that is the start too."""
    if config.mode != FAST:
        raise ArgumentError("extend belongs to fast mode; set mode to 'fast'.", field="extend")
    if config.init not in (IMAGENET, name):
        raise ArgumentError(
            f"init is {config.init!r}, but {name!r} is extended, which keeps its own network; "
            "leave init out.",
            field="init",
        )
    return _from_model(config, name, "extend", settings)


def _from_model(config: TrainingConfig, init: str, field: str, settings: Settings) -> Start:
    model = _model(init, field, settings)
    if config.modelname and config.modelname.lower() != model.architecture:
        raise ArgumentError(
            f"modelname is {config.modelname!r}, but {init} is a {model.architecture}; "
            "leave modelname out, or start from something else.",
            field="modelname",
        )
    if config.mode != FAST and KERAS_WEIGHTS not in model.files:
        raise ArgumentError(
            f"Model {model.name!r} has no weights for Keras ({KERAS_WEIGHTS}), as models of the "
            "old service have none: use it in fast mode, or start from 'imagenet'.",
            field="init",
        )
    words = f"{model.name} {model.version}"
    return Start(model.architecture, model.preprocessing, model, None, words)


def _model(name: str, field: str, settings: Settings) -> ModelFolder:
    try:
        return ready(model_at(name, settings.models_dir), settings)
    except PlantClassificationError as fault:
        raise ArgumentError(f"{field}: {fault}", field=field) from None


def _preprocessing_of(architecture: str, *, is_random: bool) -> Preprocessing:
    try:
        from plant_classification.networks import check_imagenet, find_architecture
    except ModuleNotFoundError as missing:
        raise ArgumentError(
            f"Without TensorFlow ({missing.name} is missing) only a model can be the start, in "
            "fast mode: set mode to 'fast' and init to 'starter' or a model of yours; or "
            "pip install 'plant-classification[train]'.",
            field="init",
        ) from None
    try:
        found = find_architecture(architecture).preprocessing
    except ArgumentError as fault:
        raise ArgumentError(f"modelname: {fault}", field="modelname") from None
    if not is_random:
        check_imagenet(architecture)
    return found


def _ordered(
    rgb: tuple[float, float, float] | None, rule: Preprocessing
) -> tuple[float, float, float] | None:
    if rgb is None or rule.channels == "RGB":
        return rgb
    red, green, blue = rgb
    return blue, green, red
