"""Real servers that can write no more of what is sent: the client is told, and nothing is left."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import requests
from api.service import Service, running, serving_all
from api.test_bad_requests import refused

MOST_WRITTEN = 500_000
SMALL, LARGE = bytes(100_000), bytes(MOST_WRITTEN + 1)
SPOOLED = bytes(2_000_000)
"""More than aiohttp keeps in memory of a photo while a request is read."""


@contextmanager
def full_disk(service: Service) -> Iterator[None]:
    """Let the kernel refuse what the server writes into a file beyond so many bytes."""
    before = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (MOST_WRITTEN, before[1]))
    try:
        yield
    finally:
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, before)


def told(service: Service, response: requests.Response) -> None:
    assert "cannot store what was sent" in refused(response, 503)
    assert int(response.headers["Retry-After"]) > 0
    (line,) = [
        line
        for line in service.log().splitlines()
        if f"request {response.json()['request_id']}: " in line
    ]
    assert "File too large" in line


@pytest.mark.parametrize("start", [running, serving_all])
def test_photos_that_cannot_be_written_are_told_and_none_is_left(
    tmp_path: Path, flower: Path, start: Callable[[Path], AbstractContextManager[Service]]
) -> None:
    with start(tmp_path) as service:
        with full_disk(service):
            for photo in (LARGE, SPOOLED):
                told(service, service.post(SMALL, photo))
                assert service.temporary_files() == []
        assert service.post(flower).status_code == 200
        assert service.temporary_files() == []
