"""Bringing models into the models folder: from another folder, or from an archive by address."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from plant_classification.errors import ArgumentError, DownloadError, ModelFolderError
from plant_classification.fetching.downloads import Progress, download
from plant_classification.files import locked, new_folder, remove
from plant_classification.models.archives import unpack
from plant_classification.models.choosing import at_checkpoint, check_new, read_model
from plant_classification.models.conversion import Model, can_convert, convert, ready
from plant_classification.models.folder import MANIFEST, ModelFolder
from plant_classification.models.legacy import CONF
from plant_classification.settings import Settings

DOWNLOADS = ".downloads"
ARCHIVE = "archive"
UNPACKED = "unpacked"
DEPTH = 4
"""How many folders deep in an archive a model is looked for."""


def import_model(
    source: Path, settings: Settings, name: str | None = None, checkpoint: str | None = None
) -> Model:
    """Copy a model folder into the models folder; one of the old service is converted.

    An old folder that lies in the models folder already is converted where it is.

    Args:
        source: The folder.
        settings: For ``models_dir`` and ``families``.
        name: What to call the model; by default as the folder is called.
        checkpoint: Of the old service's folder: which one; by default its final one.

    Returns:
        The model in its new place.

    Raises:
        UnknownModelError: No checkpoint of that name.
        ArgumentError: There is a model of that name.
        ModelFolderError: The folder cannot be used, or the models folder not be written.
    """
    model = at_checkpoint(read_model(source.resolve()), checkpoint)
    if not isinstance(model, ModelFolder) and _is_in_place(model, settings.models_dir, name):
        ready(model, settings)
        return model
    target = check_new(name or model.name, settings.models_dir)
    with _writing(settings):
        if isinstance(model, ModelFolder):
            _copy(model, target)
        else:
            convert(model, target, settings)
    return read_model(target)


def download_models(
    name_or_address: str,
    settings: Settings,
    progress: Progress,
    sha256: str | None = None,
    name: str | None = None,
) -> tuple[str, list[Model]]:
    """Fetch an archive of one or more model folders and import each.

    What came of an archive is kept when the connection breaks, and the same call goes on there.
    After any other failure nothing is left.

    Args:
        name_or_address: A name of ``settings.model_sources``, or an https address.
        settings: For ``model_sources``, ``max_model_bytes``, ``models_dir`` and ``families``.
        progress: Called with the bytes that are there and those that there will be, if known.
        sha256: What the archive must be; not compared where not given.
        name: What to call the model; by default the name of the source, else of its folder.

    Returns:
        The SHA-256 of the archive, and the models in their new place: those of the old service
        converted, or as they are where TensorFlow is not installed.

    Raises:
        ArgumentError: No source of that name, or there is a model of that name.
        DownloadError: The archive cannot be fetched, or is not the one that ``sha256`` names.
        ModelFolderError: The archive holds no model, or one that cannot be imported; or the models
            folder cannot be written.
    """
    address = _address(name_or_address, settings)
    if address != name_or_address:
        name = name or name_or_address
    if name:
        check_new(name, settings.models_dir)  # before anything is fetched
    folder = settings.models_dir / DOWNLOADS / hashlib.sha256(address.encode()).hexdigest()[:16]
    archive = folder / ARCHIVE
    try:
        with _writing(settings), locked(folder, wait=False):
            remove(folder / UNPACKED)  # of a call that was killed
            digest = download(
                address,
                archive,
                sha256=sha256,
                most_bytes=settings.max_model_bytes,
                progress=progress,
            )
            try:
                unpacked = folder / UNPACKED / _stem(address)
                unpack(archive, unpacked, settings.max_model_bytes)
                return digest, _import_all(unpacked, settings, name)
            finally:
                remove(folder / UNPACKED)
                archive.unlink(missing_ok=True)
    except BlockingIOError:
        raise DownloadError(
            f"{name_or_address} is being downloaded by another process; wait until it has ended."
        ) from None
    finally:
        with contextlib.suppress(OSError):  # what broke off is kept there
            folder.rmdir()
            folder.parent.rmdir()


@contextlib.contextmanager
def _writing(settings: Settings) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        place = error.filename2 or error.filename or settings.models_dir
        raise ModelFolderError(
            f"{place} cannot be written: {error.strerror}; the setting models_dir says where "
            "models are kept."
        ) from None


def _import_all(unpacked: Path, settings: Settings, name: str | None) -> list[Model]:
    folders = list(_model_folders(unpacked, DEPTH))
    if not folders:
        raise ModelFolderError(
            f"The archive holds no model folder: none with {MANIFEST} or {CONF}."
        )
    if name and len(folders) > 1:
        found = ", ".join(folder.name for folder in folders)
        raise ModelFolderError(
            f"The archive holds {len(folders)} models ({found}), which cannot all be {name!r}."
        )
    models: list[Model] = []
    try:
        models.extend(_import(folder, settings, name) for folder in folders)
    except BaseException:
        for model in models:
            remove(model.path)
        raise
    return models


def _import(folder: Path, settings: Settings, name: str | None) -> Model:
    model = read_model(folder)
    if isinstance(model, ModelFolder) or can_convert():
        return import_model(folder, settings, name)
    return read_model(folder.rename(check_new(name or folder.name, settings.models_dir)))


def _is_in_place(model: Model, models_dir: Path, name: str | None) -> bool:
    return model.path.parent == models_dir.resolve() and name in (None, model.name)


def _model_folders(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / MANIFEST).is_file() or (folder / CONF).is_file():
        yield folder
    elif depth:
        for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
            yield from _model_folders(inner, depth - 1)


def _copy(model: ModelFolder, target: Path) -> None:
    """Copy the files that model.json names, each compared with what it says, or none."""
    with new_folder(target) as partial:
        for file in [model.path / MANIFEST, *(model.file(name) for name in model.files)]:
            shutil.copyfile(file, partial / file.name)


def _address(name_or_address: str, settings: Settings) -> str:
    if "://" in name_or_address:
        return name_or_address
    if name_or_address not in settings.model_sources:
        names = ", ".join(settings.model_sources) or "none"
        raise ArgumentError(
            f"There is no source of models {name_or_address[:100]!r}; there are: {names}. "
            "Or give an https address.",
            field="name",
        )
    return settings.model_sources[name_or_address]


def _stem(address: str) -> str:
    """What the address calls the archive, for one that is a model without a folder."""
    return PurePosixPath(urlsplit(address).path).name.split(".")[0] or "model"
