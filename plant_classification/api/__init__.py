"""The entry points of DEEPaaS: names a plant, and trains, over HTTP and in ``deepaas-cli``.

Under ``deepaas-run``, ``predict``, ``warm`` and ``train`` run in worker processes of the server,
each with an inference process of its own and one for a training; everything else runs in the
server. For ``serve`` see ``server.lanes``. Neither server loads the engine.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import io
import json
import logging
import multiprocessing
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from importlib import metadata
from pathlib import Path, PurePath
from typing import Any

from aiohttp import web
from deepaas.model.v2.wrapper import UploadedFile
from marshmallow import fields

from plant_classification import schemas
from plant_classification.api import training
from plant_classification.api.copies import forget
from plant_classification.api.requests import INTERNAL, RequestError, settings
from plant_classification.errors import ArgumentError, PlantClassificationError
from plant_classification.inference import ExplanationRequest, Request, Supervisor
from plant_classification.models import find_model
from plant_classification.photos import Fetched, Source, Upload, Url
from plant_classification.photos.sources import check_total
from plant_classification.question import Question

LOG = logging.getLogger(__name__)

_LENT: ContextVar[Supervisor | None] = ContextVar("lent", default=None)

schema = schemas.answer_fields()


def get_metadata() -> dict[str, Any]:
    """Who made the package, and the model that answers when none is named."""
    package = metadata.metadata("plant-classification")

    def text(*keys: str) -> str:
        return next((str(package[key]) for key in keys if key in package), "")

    model = find_model(None, settings().models_dir)
    return {
        "id": "plant_classification",
        "name": text("Name"),
        "version": text("Version"),
        "summary": text("Summary"),
        "description": text("Summary"),
        "home-page": text("Home-page", "Project-URL").rpartition(" ")[2],
        "author": text("Author"),
        "author-email": text("Author-email"),
        "license": text("License-Expression", "License"),
        "model": training.described(model),
    }


def get_predict_args() -> dict[str, fields.Field]:
    """The arguments of :func:`predict`."""
    return schemas.predict_arguments()


def warm() -> None:
    """Start the inference process and load the model that answers when none is named.

    One that cannot be used does not stop the server: the other models can be asked for by name.

    Raises:
        SettingsError: A setting that cannot be used.
    """
    supervisor = _supervisor()
    try:
        supervisor.warm()
    except PlantClassificationError as error:
        LOG.error("the model that answers when none is named cannot be used yet: %s", error)


def predict(**arguments: Any) -> dict[str, Any] | io.BytesIO:
    """Name the plant in the photos of one observation.

    Args:
        arguments: Those of :func:`get_predict_args`. The files of uploads are deleted. What lies
            at ``urls`` can be given for them.

    Returns:
        The answer as :data:`schema` describes it, its ranked labels as CSV, or a picture as PNG.

    Raises:
        RequestError: Everything that can go wrong, as HTTP.
    """
    try:
        return _predict(arguments)
    except PlantClassificationError as error:
        raise as_http(error, arguments) from None
    except Exception as error:
        LOG.exception("a request failed")
        raise as_http(PlantClassificationError(repr(error)), arguments) from None
    finally:
        forget(arguments)


def get_train_args() -> dict[str, fields.Field]:
    """The arguments of :func:`train`."""
    return training.train_arguments(settings())


def train(**arguments: Any) -> dict[str, Any]:
    """Train a model on a data set of the server, and wait for the end.

    Args:
        arguments: Those of :func:`get_train_args`.

    Returns:
        The model's name, figures and report, and warnings.

    Raises:
        PlantClassificationError: Everything that can go wrong. DEEPaaS shows its sentence as the
            training's message.
    """
    try:
        return training.train(arguments, settings())
    except PlantClassificationError:
        raise
    except Exception:
        LOG.exception("a training failed")
        raise PlantClassificationError(INTERNAL) from None


@contextlib.contextmanager
def using(supervisor: Supervisor) -> Iterator[None]:
    """Let :func:`predict` ask this process, in this thread, instead of one of its own."""
    token = _LENT.set(supervisor)
    try:
        yield
    finally:
        _LENT.reset(token)


def _supervisor() -> Supervisor:
    return _LENT.get() or _own_supervisor()


@functools.cache
def _own_supervisor() -> Supervisor:
    """The inference process of this worker, started when it is first needed."""
    return Supervisor(settings(), workers=_workers())


def _workers() -> int:
    """``--workers`` of the server: its workers inherit the command line, but not what it meant."""
    if multiprocessing.parent_process() is None:
        return 1
    from deepaas import config
    from deepaas.cmd import run
    from oslo_config import cfg
    from oslo_log import log

    server = cfg.ConfigOpts()
    server.register_cli_opts([*config.opts, *run.cli_opts])
    log.register_options(server)
    try:
        server(sys.argv[1:], project="deepaas")
    except SystemExit:  # the command line of another program that uses this module
        return 1
    return max(1, int(server.workers))


def _predict(arguments: dict[str, Any]) -> dict[str, Any] | io.BytesIO:
    model, timestamp = _name(arguments["model"]), _name(arguments["timestamp"])
    if model and timestamp and model != timestamp:
        raise ArgumentError(
            f"timestamp is the old name of model: {model!r} and {timestamp!r} came, give one.",
            field="model",
        )
    asked = {field.name: arguments[field.name] for field in dataclasses.fields(Question)}
    request: dict[str, Any] = {
        "photos": _photos(arguments),
        "organs": [organ for organ in arguments["organs"] or () if organ] or None,
        "question": Question(**asked),
        "model": model or timestamp,
        "checkpoint": _name(arguments["ckpt_name"]),
    }
    taxon = arguments["taxon"] or None
    if arguments["accept"] == schemas.PNG:
        explained = _supervisor().explain(ExplanationRequest(**request, taxon=taxon))
        return io.BytesIO(explained.picture())
    if taxon:
        raise ArgumentError(
            f"taxon says what a picture is to explain: ask for accept: {schemas.PNG} with it.",
            field="taxon",
        )
    answer = _supervisor().identify(Request(**request)).to_dict()
    return _csv(answer["results"]) if arguments["accept"] == schemas.CSV else answer


def _given_photos(arguments: dict[str, Any]) -> list[tuple[str, Any]]:
    """Photos with the name of their argument; what a form sends for an empty one is none."""
    files = [(name, arguments[name]) for name in schemas.PHOTO_FIELDS]
    addresses = [("urls", address) for address in arguments["urls"] or ()]
    return [(name, value) for name, value in files + addresses if value]


def _photos(arguments: dict[str, Any]) -> list[Source]:
    """The photos of a request, as what they can be read from.

    Raises:
        ArgumentError: No photo, files and addresses together, or text where a file belongs.
        TooManyBytesError: All together have more bytes than the settings allow.
    """
    given = _given_photos(arguments)
    if not given or len({name == "urls" for name, _ in given}) > 1:
        came = "both" if given else "neither"
        raise ArgumentError(
            f"Send photos as files (data, data2 ...) or by address (urls): {came} came.",
            field="photos",
        )
    sources: list[Source] = []
    size = 0
    for name, value in given:
        if isinstance(value, UploadedFile):
            path = Path(value.filename)
            sources.append(Upload(path, PurePath(value.original_filename).name or name))
            size += path.stat().st_size
        elif isinstance(value, Fetched):
            sources.append(value)
            size += len(value.content)
        elif name == "urls":
            url = value if isinstance(value, Url) else Url(value)
            sources.append(url)
            size += len(url.address)
        else:
            raise ArgumentError(f"{name} must be a file with a name; text came.", field=name)
    check_total(size, settings())
    return sources


def _name(value: str | None) -> str | None:
    """A name that came plain or, as the old service took it, as JSON."""
    try:
        name = json.loads(value or "null")
    except (ValueError, RecursionError):
        return value
    return name if name is None or isinstance(name, str) else value


def _csv(results: list[dict[str, Any]]) -> io.BytesIO:
    columns = ["rank", "label", "species", "genus", "family", "author", "probability"]
    table = io.StringIO(newline="")
    rows = csv.DictWriter(table, columns, extrasaction="ignore")
    rows.writeheader()
    rows.writerows(results)
    # DEEPaaS sends these as they are, and deepaas-cli writes no other type into a file.
    return io.BytesIO(table.getvalue().encode())


def as_http(error: PlantClassificationError, arguments: dict[str, Any]) -> RequestError:
    """The error as HTTP, with the names that the arguments have there."""
    if error.status == web.HTTPInternalServerError.status_code:
        refusal = RequestError(
            error.status,
            INTERNAL,
            {},
        )
        LOG.error("request %s: %s", refusal.request_id, error)
        return refusal
    photos = [name for name, _ in _given_photos(arguments)]
    names = {
        "photos": list(dict.fromkeys(photos)) or ["data", "urls"],
        "model": [name for name in ("model", "timestamp") if arguments[name]] or ["model"],
        **{f"photos[{place}]": [name] for place, name in enumerate(photos)},
    }
    fields_at_fault = names.get(error.field, [error.field]) if error.field else []
    return RequestError(
        error.status,
        error.message,
        {name: [error.message] for name in fields_at_fault},
        error.retry_after,
    )
