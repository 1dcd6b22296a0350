"""``serve``: the page, DEEPaaS's routes and Pl@ntNet's; ``keys``: who may ask them."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import re
import socket
from importlib.util import find_spec
from pathlib import Path

import click

from plant_classification.cli import options
from plant_classification.settings import ENVIRONMENT_PREFIX, load_settings

SHUTDOWN_SECONDS = 25.0
"""For what runs; Kubernetes kills after 30."""

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#]+", re.IGNORECASE)
"""What browsers send (RFC 6454)."""

OWN_NAMES = ("localhost", "127.0.0.1", "[::1]")
NOT_LISTENING = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--processes",
    type=click.IntRange(1),
    help="Photos that are identified at once; by default as many as there are processors.",
)
@click.option(
    "--most-waiting",
    default=64,
    show_default=True,
    type=click.IntRange(0),
    help="Requests that may wait for one of them; further ones are told to come again.",
)
@click.option(
    "--api-keys",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file of keys (plant-classification keys add): whoever asks must have one.",
)
@click.option("--public", is_flag=True, help="Let everybody ask who reaches the address.")
@click.option(
    "--cors",
    metavar="ORIGIN",
    multiple=True,
    help="A web site whose pages may ask this server, such as https://park.example; * is any.",
)
@options.models_dir
def serve(
    host: str,
    port: int,
    processes: int | None,
    most_waiting: int,
    api_keys: Path | None,
    public: bool,
    cors: tuple[str, ...],
    models_dir: Path | None,
) -> None:
    """Serve a page for people, and the routes of DEEPaaS and of Pl@ntNet for programs."""
    if api_keys and public:
        raise click.UsageError("--public lets everybody ask: leave out --api-keys or --public.")
    if not (api_keys or public or _is_loopback(host)):
        raise click.UsageError(
            f"Whoever reaches {host} could ask this server. Give --api-keys FILE (make one with: "
            "plant-classification keys add NAME --api-keys FILE), or --public if that is meant."
        )
    for origin in cors:
        if origin != "*" and not ORIGIN.fullmatch(origin):
            raise click.UsageError(
                f"--cors takes '*', or a site as browsers name it, such as https://park.example, "
                f"without a path or a slash at its end; not {origin!r}."
            )
    if not find_spec("prometheus_client"):
        raise click.UsageError(
            "serve needs prometheus_client: pip install 'plant-classification[serve]'."
        )
    if models_dir:  # for the process of a training, too, which reads the settings anew
        os.environ[f"{ENVIRONMENT_PREFIX}MODELS_DIR"] = str(models_dir)
    from aiohttp import web

    from plant_classification.processes import processors
    from plant_classification.server.app import Options, make_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("aiohttp.access", "deepaas"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("deepaas.model.v2.wrapper").setLevel(logging.CRITICAL)  # said in the answer
    logging.getLogger("aiohttp.server").addFilter(_without_what_was_sent)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)  # of DEEPaaS's dependencies
    settings = load_settings()
    names = None if api_keys or public else (*OWN_NAMES, host.lower())
    origins = tuple(origin.lower() for origin in cors)
    asked = Options(processes or processors(), most_waiting, api_keys, origins, names)
    try:
        web.run_app(
            make_app(asked, settings),
            host=host,
            port=port,
            print=lambda words: click.echo(words, err=True),
            handler_cancellation=True,
            shutdown_timeout=SHUTDOWN_SECONDS,
            auto_decompress=False,  # a few bytes could become gigabytes
        )
    except OSError as error:
        if not isinstance(error, socket.gaierror) and error.errno not in NOT_LISTENING:
            raise
        raise click.ClickException(
            f"{host}:{port} cannot be listened on: {error.strerror}."
        ) from None


def _without_what_was_sent(record: logging.LogRecord) -> bool:
    """Keep what was sent out of the log where aiohttp cannot read a request."""
    error = record.exc_info and record.exc_info[1]
    if error and type(error).__module__.startswith("aiohttp."):
        record.msg, record.args, record.exc_info = (
            "a request cannot be read: %s",
            (type(error).__name__,),
            None,
        )
    return True


@click.group()
def keys() -> None:
    """Keys for a server that not everybody may ask."""


@keys.command()
@click.argument("name")
@click.option(
    "--api-keys",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file of keys; it holds nothing that lets anybody in.",
)
def add(name: str, api_keys: Path) -> None:
    """Make a key for NAME, and print it once."""
    from plant_classification.server.keys import add_key

    try:
        key = add_key(api_keys, name)
    except OSError as error:
        raise click.ClickException(f"{api_keys} cannot be written: {error.strerror}.") from None
    click.echo(key)
    click.echo(
        f"That is the only time it is shown. To take it back, remove the line of {name} from "
        f"{api_keys}, and start the server anew.",
        err=True,
    )


def _is_loopback(host: str) -> bool:
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ipaddress.ip_address(address).is_loopback for address in addresses)
