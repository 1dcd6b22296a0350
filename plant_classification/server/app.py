"""One application: DEEPaaS's own, and beside it the page, Pl@ntNet's routes, health and metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from deepaas import api as deepaas_api
from deepaas import config as deepaas_config
from deepaas.model import v2 as deepaas_models
from oslo_config import cfg

from plant_classification.errors import ArgumentError
from plant_classification.server import around, health, page, plantnet
from plant_classification.server.addresses import Addresses
from plant_classification.server.keys import read_keys
from plant_classification.server.lanes import Lanes
from plant_classification.server.predictors import Predictors
from plant_classification.server.state import ADDRESSES, PREDICTORS, SETTINGS
from plant_classification.server.trainings import remember
from plant_classification.server.uploads import most_bytes
from plant_classification.settings import Settings

MODULE = "plant_classification"


@dataclasses.dataclass(frozen=True)
class Options:
    """How to serve.

    Attributes:
        processes: How many photos are identified at once, each by a process of its own.
        most_waiting: How many requests may wait for one of them.
        keys: A file of hashed API keys; without one nobody is asked for a key.
        origins: Web sites whose pages may ask this server (CORS); ``"*"`` is any.
        names: By which the server may be asked; None for any.
    """

    processes: int
    most_waiting: int
    keys: Path | None = None
    origins: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None


async def make_app(options: Options, settings: Settings) -> web.Application:
    """The application; it starts its processes when it is run, and ends them when it is stopped.

    Raises:
        ArgumentError: The file of keys cannot be read, or holds none.
    """
    keys = None if options.keys is None else read_keys(options.keys)
    if options.keys and not keys:
        raise ArgumentError(
            f"{options.keys} holds no key, so nobody could ask; add one with: "
            f"plant-classification keys add NAME --api-keys {options.keys}",
            field="api_keys",
        )
    _configure_deepaas(settings)
    app: web.Application = await deepaas_api.get_app()
    app[SETTINGS] = settings
    app.middlewares[:0] = around.middlewares(
        keys, options.origins, most_bytes(settings), options.names
    )
    app.cleanup_ctx.append(_processes(options, settings))
    health.add_routes(app)
    page.add_routes(app)
    plantnet.add_routes(app)
    return app


def _processes(
    options: Options, settings: Settings
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def run(app: web.Application) -> AsyncIterator[None]:
        predictors = Predictors(settings, options.processes, options.most_waiting)
        app[PREDICTORS] = predictors
        addresses = app[ADDRESSES] = Addresses(settings)
        wrapper = deepaas_models.MODELS[MODULE]
        wrapper._executor = Lanes(predictors, addresses)  # noqa: SLF001
        wrapper.validate_response = _trust
        remember(app, settings.trainings_dir)
        predictors.warm()
        yield
        addresses.close()
        await predictors.close()

    return run


def _trust(_answer: dict[str, Any]) -> bool:
    """DEEPaaS's check of what it sends: the tests make it, and it takes a tenth of the time."""
    return True


def _configure_deepaas(settings: Settings) -> None:
    """What ``deepaas-run`` reads from its command line.

    DEEPaaS needs no workers of its own: predictions and trainings have their lanes here.
    """
    deepaas_config.prepare_logging()
    cfg.CONF([], project="deepaas", default_config_files=[])
    for name, value in {
        "workers": 0,
        "warm": False,
        "model_name": MODULE,
        "client_max_size": most_bytes(settings),
    }.items():
        cfg.CONF.set_override(name, value)
