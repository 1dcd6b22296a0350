"""Which model: by name, or the newest complete one, or the starter that the package ships."""

from __future__ import annotations

import reprlib
from pathlib import Path

from plant_classification.errors import ArgumentError, ModelFolderError, UnknownModelError
from plant_classification.files import PARTIAL
from plant_classification.models.conversion import Model, why_not
from plant_classification.models.folder import (
    MANIFEST,
    NETWORK,
    ModelFolder,
    check_name,
    read_model_folder,
)
from plant_classification.models.legacy import CONF, is_legacy_folder, read_legacy_folder

STARTER, IMAGENET, NOTHING = "starter", "imagenet", "none"
"""What a training can start from; no model may be called so."""

STARTER_FOLDER = Path(__file__).with_name(STARTER)


def check_new(name: str, models_dir: Path) -> Path:
    """The folder of a model to be, before anything is written.

    Raises:
        ArgumentError: The name means something else, or there is a model of that name.
        ModelFolderError: No folder can have that name.
    """
    check_name(name)
    if name in (STARTER, IMAGENET, NOTHING):
        raise ArgumentError(
            f"A model cannot be called {name!r}, which means something else; give another name.",
            field="name",
        )
    if (models_dir / name).exists():
        raise ArgumentError(f"There is a model {name!r} already; give another name.", field="name")
    return models_dir / name


def list_models(models_dir: Path) -> tuple[list[Model], list[ModelFolderError]]:
    """All models that can be asked for by name, read anew at each call.

    Returns:
        The complete ones, the newest first by its own date and the starter last; and what is wrong
        with the folders that are not complete, each with the folder's name as its ``field``.

    Raises:
        ModelFolderError: The folder of models cannot be read.
    """
    models: list[Model] = []
    faults = []
    for path in _folders(models_dir):
        if not path.name.isprintable():
            fault = f"{path.name!r} cannot be a model's name; rename the folder."
            faults.append(ModelFolderError(fault, field=path.name))
        elif path.name == STARTER:
            fault = f"{path} has the name of the package's own model; rename the folder."
            faults.append(ModelFolderError(fault))
        else:
            try:
                models.append(read_model(path))
            except ModelFolderError as fault:
                faults.append(ModelFolderError(fault.message, field=path.name))
    models.sort(key=lambda model: model.created, reverse=True)
    return [*models, read_model_folder(STARTER_FOLDER)], faults


def find_model(name: str | None, models_dir: Path, checkpoint: str | None = None) -> Model:
    """The model of that name (its folder's), or without a name the newest that can be used.

    Raises:
        UnknownModelError: No such model or checkpoint; the sentence lists those that exist.
        ModelFolderError: The folder of that name is not complete.
    """
    if name is None:
        models, _ = list_models(models_dir)
        found = next(model for model in models if why_not(model) is None)
    elif name == STARTER:
        found = read_model_folder(STARTER_FOLDER)
    elif name in {path.name for path in _folders(models_dir)}:
        found = read_model(models_dir / name)
    else:
        names = ", ".join(model.name for model in list_models(models_dir)[0])
        raise UnknownModelError(
            f"There is no model {reprlib.repr(name)}; there are: {names}.", field="model"
        )
    return at_checkpoint(found, checkpoint)


def model_at(
    name_or_folder: str | Path | None, models_dir: Path, checkpoint: str | None = None
) -> Model:
    """The model of that name, or in that folder: a path, or a text with ``/`` in it, is one.

    Without a name the newest that can be used.

    Raises:
        UnknownModelError: No such model or checkpoint; the sentence lists those that exist.
        ModelFolderError: The folder is not complete.
    """
    if name_or_folder is None or (
        isinstance(name_or_folder, str)
        and not ("/" in name_or_folder or name_or_folder in (".", ".."))
    ):
        return find_model(name_or_folder, models_dir, checkpoint)
    return at_checkpoint(read_model(Path(name_or_folder).resolve()), checkpoint)


def read_model(path: Path) -> Model:
    """Read a model folder, of this package or of the old service.

    Raises:
        ModelFolderError: It is neither, incomplete or damaged.
    """
    try:
        if (path / MANIFEST).exists():
            return read_model_folder(path)
        if is_legacy_folder(path):
            return read_legacy_folder(path)
        raise ModelFolderError(
            f"{path} is not a model folder: {MANIFEST} is not there, nor {CONF} of the old service."
        )
    except (OSError, RuntimeError, ValueError, ArithmeticError) as error:
        place = getattr(error, "filename", None) or path
        why = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise ModelFolderError(f"{place} cannot be read: {why}.") from None


def at_checkpoint(model: Model, checkpoint: str | None) -> Model:
    """The model at one of its checkpoints; as it is where none is named.

    Raises:
        UnknownModelError: There is none of that name; the sentence lists those that exist.
    """
    if checkpoint is None:
        return model
    if not isinstance(model, ModelFolder):
        return model.at(checkpoint)
    # An imported model answers to the name that its checkpoint had.
    names = [NETWORK, *filter(None, [model.checkpoint])]
    if checkpoint not in names:
        raise UnknownModelError(
            f"Model {model.name!r} has no checkpoint {reprlib.repr(checkpoint)}; "
            f"there are: {', '.join(names)}. Leave it out for the usual one.",
            field="ckpt_name",
        )
    return model


def _folders(models_dir: Path) -> list[Path]:
    """The folders that may be models; a folder that is not there holds none."""
    try:
        return [
            path
            for path in sorted(models_dir.iterdir())
            if path.is_dir() and not path.name.startswith(".") and path.suffix != PARTIAL
        ]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ModelFolderError(
            f"{models_dir}, where models are kept, cannot be read: {error.strerror}."
        ) from None
