"""Training over HTTP: its arguments, what they may name, and what comes of it.

The arguments are the options of config.yaml. Who sends them is a stranger: models are named, never
a path to one, and the data set lies in the data directory.
"""

from __future__ import annotations

import functools
import json
import os
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from marshmallow import Schema, ValidationError, fields, missing, validate

from plant_classification import schemas
from plant_classification.api.requests import plain
from plant_classification.errors import ArgumentError, PlantClassificationError
from plant_classification.models import IMAGENET, NOTHING, Model, check_new, find_model
from plant_classification.models.folder import REPORT
from plant_classification.settings import Settings
from plant_classification.training.config import (
    WITHOUT_PURPOSE,
    Option,
    load_training_config,
    training_options,
)


def train_arguments(settings: Settings) -> dict[str, fields.Field]:
    """The arguments of a training: every option, and those of the old service without a purpose.

    Raises:
        SettingsError, ArgumentError: The file of the settings holds options that cannot be used.
    """
    defaults = load_training_config()[0].to_dict()
    without_purpose = {
        name: fields.Str(
            load_default=None,
            allow_none=True,
            metadata={
                "description": f"Of the old service, without effect: {reason}. Default: not given.",
                schemas.AS_JSON: True,
            },
        )
        for name, reason in WITHOUT_PURPOSE.items()
    }
    options = training_options().values()
    return {
        **{option.name: _field(option, defaults[option.name], settings) for option in options},
        **without_purpose,
    }


def train(arguments: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Train in a process of its own, and wait for the end.

    Args:
        arguments: Those of :func:`train_arguments`, whether they are checked already or not.
        settings: The settings.

    Returns:
        ``modelname``, by which predict finds the model; ``model``, what is known of it; ``notes``,
        sentences on the training; ``report``, its file in the models folder; and ``warnings``.

    Raises:
        PlantClassificationError: What cannot be used, or what the training failed by; the sentence
            names no place outside of the folders of the settings.
    """
    from plant_classification.training.process import train_in_process
    from plant_classification.training.run import named

    try:
        config, warnings = load_training_config(("The request", _checked(arguments, settings)))
        data = _inside(config.base_directory, settings.data_dir, "the data directory")
        if config.images_directory:
            folder = data if data.is_dir() else data.parent
            _inside(config.images_directory, folder, "the data set")
        model, remarks = train_in_process(named(config), data, settings)
    except PlantClassificationError as error:
        raise type(error)(_without_places(error.message, settings), field=error.field) from None
    return {
        "modelname": model.name,
        "model": described(model),
        "notes": list(model.training.get("notes", ())),
        "report": f"{model.name}/{REPORT}" if REPORT in model.files else None,
        "warnings": [*warnings, *remarks],
    }


def described(model: Model) -> dict[str, Any]:
    """What is said of a model, as JSON takes it."""
    return {
        "name": model.name,
        "architecture": model.architecture,
        "labels": model.label_count,
        "version": model.version,
        "metrics": dict(model.metrics),
    }


def _field(option: Option, default: Any, settings: Settings) -> fields.Field:
    """An option as an argument; deepaas-cli knows a field by its very class."""
    is_union = isinstance(option.kind, types.UnionType)
    kinds = get_args(option.kind) if is_union else (option.kind,)
    range_ = validate.Range(*option.range) if option.range else None
    given: dict[str, Any] = {
        "load_default": default,
        "allow_none": True,  # an argument that is null is not given
        "metadata": {"description": _description(option, default), schemas.AS_JSON: True},
    }
    if bool in kinds:
        return fields.Bool(**given)
    if int in kinds and str not in kinds:
        return fields.Int(strict=True, validate=range_, **given)
    if float in kinds:
        return fields.Float(validate=range_, **given)
    if option.choices:
        return fields.Str(validate=validate.OneOf(option.choices), **given)
    given["load_default"] = _text(default)
    return fields.Str(validate=functools.partial(_check, option, settings), **given)


def _description(option: Option, default: Any) -> str:
    if option.choices:
        values = f" One of {', '.join(option.choices)}."
    elif option.range:
        values = f" From {option.range[0]:.10g} to {option.range[1]:.10g}."
    else:
        values = ""
    return f"{option.help}{values} Default: {_text(default) or 'empty'}"


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _value(option: Option, value: Any) -> Any:
    """What an argument holds, which is JSON where the option is a list, an object, or a number."""
    if not isinstance(value, str) or option.kind in (str, str | None):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _check(option: Option, settings: Settings, text: str) -> None:
    try:
        value = option.read(_value(option, text))
        if option.name in CHECKS:
            CHECKS[option.name](value, settings)
    except ValueError as rule:
        raise ValidationError(f"Must be {rule}.") from None
    except PlantClassificationError as error:
        raise ValidationError(error.message) from None


def _checked(arguments: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The options that are given: DEEPaaS has checked them, and deepaas-cli has not."""
    made = train_arguments(settings)
    options = training_options()
    came = {name: plain(value, made[name]) for name, value in arguments.items() if name in made}
    given = {name: value for name, value in came.items() if value is not missing}
    try:
        loaded = Schema.from_dict(made)().load(given)
    except ValidationError as error:
        sentences = [
            f"{name}: {rule}" for name, rules in error.messages_dict.items() for rule in rules
        ]
        raise ArgumentError(" ".join(sentences), field=next(iter(error.messages_dict))) from None
    return {
        name: _value(options[name], value) if name in options else value
        for name, value in loaded.items()
        if value is not None
    }


def _check_place(text: str, settings: Settings) -> None:
    _inside(text, settings.data_dir, "the data directory")


def _check_relative(text: str, _settings: Settings) -> None:
    if not _is_plain(text):
        raise ArgumentError(_must_be_inside("the data set"))


def _check_start(text: str, settings: Settings) -> None:
    if text in (IMAGENET, NOTHING):
        return
    try:
        find_model(text, settings.models_dir)
    except ArgumentError as error:
        raise ArgumentError(f"Must be imagenet, none, or a model. {error.message}") from None


def _check_model(text: str, settings: Settings) -> None:
    find_model(text, settings.models_dir)


def _check_new(text: str, settings: Settings) -> None:
    check_new(text, settings.models_dir)


CHECKS: dict[str, Callable[[str, Settings], None]] = {
    "base_directory": _check_place,
    "images_directory": _check_relative,
    "init": _check_start,
    "extend": _check_model,
    "name": _check_new,
}


def _inside(text: str, folder: Path, called: str) -> Path:
    """What a path inside a folder means; what lies outside is not told of."""
    try:
        path = Path(os.path.realpath(folder / text))  # resolve() of a circle differs by Python
        is_inside = _is_plain(text) and path.is_relative_to(folder.resolve())
        exists = is_inside and path.exists()
    except (OSError, ValueError):  # too long, or not a name
        is_inside = exists = False
    if not is_inside:
        raise ArgumentError(_must_be_inside(called))
    if not exists:
        raise ArgumentError(f"There is nothing of that name in {called} of the server.")
    return path


def _is_plain(text: str) -> bool:
    return not Path(text).is_absolute() and ".." not in Path(text).parts


def _must_be_inside(called: str) -> str:
    return f"Must be a path inside {called}, relative to it and without '..'."


def _without_places(sentence: str, settings: Settings) -> str:
    """A sentence with paths as a client knows them, which begin in the folders of the settings."""
    for folder in (settings.data_dir, settings.models_dir, settings.trainings_dir):
        for place in (folder, folder.resolve()):
            sentence = sentence.replace(f"{place}/", "")
    return sentence
