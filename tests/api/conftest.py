"""One real server for most tests of the API, and a web server that it fetches photos from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api.service import (
    MAX_BODY_BYTES,
    MAX_PHOTO_BYTES,
    MAX_TOTAL_BYTES,
    URL_SECONDS,
    WORKERS,
    Service,
    running,
)
from api.web import Web, serving


@pytest.fixture(scope="session")
def web(flower: Path) -> Iterator[Web]:
    with serving(flower.read_bytes()) as site:
        yield site


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory, web: Web) -> Iterator[Service]:
    with running(
        tmp_path_factory.mktemp("deepaas"),
        "--workers",
        str(WORKERS),
        "--client-max-size",
        str(MAX_BODY_BYTES),
        url_private_hosts=web.host,
        url_seconds=URL_SECONDS,
        max_photo_bytes=MAX_PHOTO_BYTES,
        max_total_bytes=MAX_TOTAL_BYTES,
    ) as service:
        yield service


@pytest.fixture
def service(shared_service: Service, flower: Path) -> Iterator[Service]:
    """The server; after each test it holds no temporary file and answers a good photo."""
    yield shared_service
    assert shared_service.temporary_files() == []
    assert shared_service.post(flower).status_code == 200
