"""A real ``plant-classification serve`` for the tests of the page and of Pl@ntNet's routes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api.service import Service, serving_all
from api.web import Web, serving

SPECIES_LIST = "garden"
LISTED = ("Dahlia sp.", "Taraxacum officinale", "Leucanthemum vulgare")


@pytest.fixture(scope="session")
def site(flower: Path) -> Iterator[Web]:
    """A web server of photos that the server may ask."""
    with serving(flower.read_bytes()) as web:
        yield web


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, site: Web) -> Iterator[Service]:
    """The server, with a models folder of its own that holds a species list."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "models").mkdir()
    (folder / "models" / f"{SPECIES_LIST}.txt").write_text("\n".join(LISTED) + "\n", "utf-8")
    limits = {"url_private_hosts": site.host, "url_seconds": 60}
    with serving_all(folder, "--processes", "1", **limits) as running:
        yield running


@pytest.fixture(scope="session")
def server(service: Service) -> str:
    """The server's address, without a slash at the end."""
    return service.root
