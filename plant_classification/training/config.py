"""The options of a training: names, kinds, ranges and defaults stand in config.yaml."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import reprlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from plant_classification.data.augmentation import Augmentation
from plant_classification.errors import ArgumentError, ModelFolderError
from plant_classification.models.folder import check_name
from plant_classification.settings import CONFIG_VARIABLE, TRAINING, read_yaml

WITHOUT_PURPOSE = {
    "ckpt_freq": "a checkpoint is kept at each epoch",
    "preprocess_mode": "it follows from the network",
    "use_multiprocessing": "photos are read in threads",
    "use_remote": "progress.json, TensorBoard and MLflow show the training",
    "val_mode": "validation sees photos as they are served",
}
"""Options of the old service that are accepted and change nothing, and why."""

AUTO = "auto"


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """All options of a training; config.yaml says what each one means."""

    base_directory: str
    images_directory: str | None
    name: str | None
    num_classes: int | None
    val_fraction: float
    mode: str
    init: str
    modelname: str | None
    image_size: int | None
    mean_RGB: tuple[float, float, float] | None  # noqa: N815 - the old service's name
    std_RGB: tuple[float, float, float] | None  # noqa: N815
    epochs: int
    batch_size: int | str
    seed: int
    optimizer: str
    initial_lr: float
    backbone_lr: float
    lr_schedule_mode: str
    lr_step_decay: float
    lr_step_schedule: tuple[float, ...]
    warmup: float
    weight_decay: float
    l2_reg: float
    label_smoothing: float
    ema: float
    accumulate: int
    clip_norm: float
    frozen_layers: float
    frozen_batchnorm: bool
    use_class_weights: bool
    balanced_sampling: bool
    logit_adjustment: float
    train_mode: Augmentation
    use_validation: bool
    select_by: str
    use_early_stopping: bool
    patience: int | None
    strict: bool
    cache: bool
    views: int | None
    extend: str | None
    use_tensorboard: bool
    tensorboard_port: int | None

    def to_dict(self) -> dict[str, Any]:
        """As a file of options would have it, and as JSON takes it."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Option:
    """What config.yaml says of an option.

    Attributes:
        name: Its name.
        kind: What its values are, as in ``TrainingConfig``.
        default: The value where none is given, as in YAML.
        help: What it means.
        choices: The values that there are, or None.
        range: Smallest and largest number, or None.
    """

    name: str
    kind: Any
    default: Any
    help: str
    choices: tuple[str, ...] | None = None
    range: tuple[float, float] | None = None

    def read(self, value: Any) -> Any:
        """A value as ``TrainingConfig`` holds it.

        Raises:
            ValueError: It cannot be used; the message is what it must be.
        """
        if value is None and type(None) in get_args(self.kind):
            return None
        if self.kind is Augmentation:
            return _augmentation(value)
        kinds = get_args(self.kind) or (self.kind,)
        if self.name in ("mean_RGB", "std_RGB", "lr_step_schedule"):
            return _numbers(self.name, value)
        if bool in kinds:
            if type(value) is not bool:
                raise ValueError("true or false")
            return value
        if int in kinds or float in kinds:
            return self._number(value, kinds)
        if not isinstance(value, str) or not value or (self.choices and value not in self.choices):
            raise ValueError(f"one of {', '.join(self.choices)}" if self.choices else "a text")
        return value

    def _number(self, value: Any, kinds: Sequence[Any]) -> int | float | str:
        if value == AUTO and str in kinds:
            return AUTO
        least, most = self.range or (float("-inf"), float("inf"))
        numbers = (int,) if int in kinds else (int, float)
        if isinstance(value, str) and float in kinds:
            with contextlib.suppress(ValueError):
                value = float(value)  # YAML takes 1e-3 for a text
        if type(value) not in numbers or not least <= value <= most:
            number = "a whole number" if int in kinds else "a number"
            word = f", or {AUTO}" if str in kinds else ""
            raise ValueError(f"{number} from {least:g} to {most:g}{word}")
        return int(value) if int in kinds else float(value)


@functools.cache
def training_options() -> Mapping[str, Option]:
    """Every option by its name, in the order of config.yaml."""
    text = resources.files("plant_classification").joinpath("config.yaml").read_text("utf-8")
    kinds = get_type_hints(TrainingConfig)
    return {
        name: Option(
            name,
            kinds[name],
            entry["value"],
            entry["help"],
            tuple(entry["choices"]) if "choices" in entry else None,
            tuple(entry["range"]) if "range" in entry else None,
        )
        for name, entry in yaml.safe_load(text)[TRAINING].items()
    }


def load_training_config(
    *given: tuple[str, Mapping[str, Any]],
) -> tuple[TrainingConfig, tuple[str, ...]]:
    """The options of a training: config.yaml < the file of the settings < what is given.

    Args:
        given: Pairs of what the source is called in messages and its options, the later ones
            winning.

    Returns:
        The options, and a warning for each one that has no purpose now.

    Raises:
        ArgumentError: An option that there is not, or a value that cannot be used, with the
            source, the rule, and what came.
    """
    options = training_options()
    sources: list[tuple[str, Mapping[str, Any]]] = [
        ("config.yaml", {name: option.default for name, option in options.items()})
    ]
    if path := os.environ.get(CONFIG_VARIABLE):
        content = read_yaml(Path(path))
        has_options = isinstance(content, Mapping) and TRAINING in content
        sources.append((path, _options_in(content, path) if has_options else {}))
    values: dict[str, Any] = {}
    warnings = []
    for source, entries in [*sources, *given]:
        for name, value in entries.items():
            if name in WITHOUT_PURPOSE:
                warnings.append(f"{name} has no effect: {WITHOUT_PURPOSE[name]}.")
                continue
            values[name] = _read(options, name, value, source)
    if values["name"] is not None:
        try:
            check_name(values["name"])
        except ModelFolderError as fault:
            raise ArgumentError(f"name: {fault}", field="name") from None
    return TrainingConfig(**values), tuple(dict.fromkeys(warnings))


def read_options(path: Path) -> Mapping[str, Any]:
    """The options in a file: ``training: {epochs: 30}``, or the same without ``training``.

    Raises:
        SettingsError: The file cannot be read, or is not YAML.
        ArgumentError: It holds something else.
    """
    return _options_in(read_yaml(path), str(path))


def _options_in(content: object, source: str) -> Mapping[str, Any]:
    if isinstance(content, Mapping) and TRAINING in content:
        content, source = content[TRAINING], f"{TRAINING!r} in {source}"
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise ArgumentError(f"{source} must hold lines of the form 'option: value'.")
    return {name: _value(given) for name, given in content.items()}


def _value(given: Any) -> Any:
    """The value of an option in the form of the package's own config.yaml too."""
    described = isinstance(given, Mapping) and {"value", "help"} <= set(given)
    return given["value"] if described else given


def from_text(text: str) -> Any:
    """A value as people type it: YAML, of which JSON is a part; what is neither stays a text."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def _read(options: Mapping[str, Option], name: str, value: Any, source: str) -> Any:
    if name not in options:
        raise ArgumentError(
            f"{source} sets {name!r}, which is no option of a training; there are: "
            f"{', '.join(options)}.",
            field=str(name),
        )
    try:
        return options[name].read(value)
    except ValueError as rule:
        raise ArgumentError(
            f"{source} sets {name} to {reprlib.repr(value)}; it must be {rule}.", field=name
        ) from None


def _augmentation(value: Any) -> Augmentation:
    if value is None:
        return Augmentation()
    if not isinstance(value, Mapping):
        raise ValueError("probabilities by name, such as {h_flip: 0.5}, or empty for none")
    try:
        return Augmentation.from_dict(value)
    except ValueError as fault:
        raise ValueError(f"augmentations by name: {fault}") from None


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    is_list = isinstance(value, (list, tuple)) and all(type(v) in (int, float) for v in value)
    if name == "lr_step_schedule":
        if not is_list or not all(0 < v < 1 for v in value) or list(value) != sorted(value):
            raise ValueError("a growing list of fractions between 0 and 1")
    elif not is_list or len(value) != 3 or not all(0 <= v <= 255 for v in value):
        raise ValueError("three numbers from 0 to 255, for red, green and blue")
    elif name == "std_RGB" and not all(value):
        raise ValueError("three numbers above 0, at most 255, for red, green and blue")
    return tuple(float(v) for v in value)
