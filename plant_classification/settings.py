"""The settings: config.yaml of the package < a file of the user's < environment < arguments."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import yaml

from plant_classification.errors import SettingsError

ENVIRONMENT_PREFIX = "PLANT_CLASSIFICATION_"
CONFIG_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
TRAINING = "training"
"""The part of config.yaml that :mod:`plant_classification.training.config` reads."""

Precision = Literal["auto", "f32", "bf16"]
PRECISIONS = get_args(Precision)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a person who runs the package can choose; config.yaml says what each one means."""

    models_dir: Path
    model_sources: Mapping[str, str]
    max_model_bytes: int
    families: Path | None
    cached_models: int
    precision: Precision
    threads: int
    max_photos: int
    max_photo_bytes: int
    max_total_bytes: int
    max_pixels: int
    min_side: int
    allow_urls: bool
    url_hosts: tuple[str, ...]
    url_private_hosts: tuple[str, ...]
    url_seconds: float
    url_redirects: int
    deadline_seconds: float
    data_dir: Path
    trainings_dir: Path


MAY_BE_ZERO = {"threads", "url_redirects"}
MOST_SECONDS = 86_400


def load_settings(**arguments: Any) -> Settings:
    """Read the settings.

    Args:
        arguments: Values that win over every other source; ``None`` means "not given".

    Returns:
        One frozen object, to be handed down.

    Raises:
        SettingsError: An unknown key or a value of the wrong kind, named with its file, variable
            or argument.
    """
    default_text = (
        resources.files("plant_classification").joinpath("config.yaml").read_text("utf-8")
    )
    values = _of_file(yaml.safe_load(default_text), "config.yaml")
    if path := os.environ.get(CONFIG_VARIABLE):
        values |= _of_file(read_yaml(Path(path)), path)
    for variable, text in os.environ.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and variable != CONFIG_VARIABLE:
            key = variable[len(ENVIRONMENT_PREFIX) :].lower()
            values |= _checked({key: _from_text(key, text, variable)}, variable)
    given = {key: value for key, value in arguments.items() if value is not None}
    return Settings(**values | _checked(given, "load_settings"))


def read_yaml(path: Path) -> object:
    """What a file of settings or options holds.

    Raises:
        SettingsError: It cannot be read, or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(f"{path}{where}: it is not YAML: {error.problem}.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{path} is not YAML: {error}.") from None


def _from_text(key: str, text: str, variable: str) -> object:
    if get_type_hints(Settings).get(key) in (Path, Path | None):
        return text
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        raise SettingsError(f"{variable} holds {text!r}, which is not YAML.") from None


def _of_file(content: object, source: str) -> dict[str, Any]:
    if isinstance(content, Mapping):
        content = {key: value for key, value in content.items() if key != TRAINING}
    return _checked(content, source)


def _checked(values: object, source: str) -> dict[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise SettingsError(f"{source} must hold lines of the form 'key: value'.")
    kinds = get_type_hints(Settings)
    checked = {}
    for key, value in values.items():
        if key not in kinds:
            raise SettingsError(
                f"{source} sets {key!r}, which is no setting; there are: {', '.join(kinds)}.",
                field=str(key),
            )
        checked[key] = _convert(key, value, kinds[key], source)
    return checked


def _convert(key: str, value: Any, kind: Any, source: str) -> Any:
    try:
        return CONVERTERS[kind](key, value)
    except ValueError as rule:
        raise SettingsError(
            f"{source} sets {key} to {value!r}; it must be {rule}.", field=key
        ) from None


def _switch(_key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _whole_number(key: str, value: Any) -> int:
    minimum = 0 if key in MAY_BE_ZERO else 1
    if type(value) is not int or value < minimum:
        raise ValueError(f"a whole number from {minimum} up")
    return value


def _seconds(_key: str, value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value <= MOST_SECONDS:
        raise ValueError(f"a number of seconds above 0, at most {MOST_SECONDS}")
    return float(value)


def _folder(_key: str, value: Any) -> Path:
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("a folder")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError("a folder without '~', for there is no home folder here") from None


def _file(_key: str, value: Any) -> Path | None:
    if value in (None, ""):
        return None
    try:
        return _folder(_key, value)
    except ValueError:
        raise ValueError("a file, or empty for none") from None


def _addresses(_key: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        isinstance(word, str) for pair in value.items() for word in pair
    ):
        raise ValueError("names, each with an address")
    return dict(value)


def _precision(_key: str, value: Any) -> str:
    if value not in PRECISIONS:
        raise ValueError(f"one of {', '.join(PRECISIONS)}")
    return str(value)


def _names(_key: str, value: Any) -> tuple[str, ...]:
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ValueError("a list of names")
    return tuple(names)


CONVERTERS: dict[Any, Callable[[str, Any], Any]] = {
    bool: _switch,
    int: _whole_number,
    float: _seconds,
    Path: _folder,
    Path | None: _file,
    Mapping[str, str]: _addresses,
    Precision: _precision,
    tuple[str, ...]: _names,
}
