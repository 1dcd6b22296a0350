"""Processes that answer the photos of a run: one that dies or hangs costs a row."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from processes import all_gone, children, wait_until
from tiny_network import write_tiny_model

from plant_classification.bulk import work
from plant_classification.bulk.observations import Grouping
from plant_classification.bulk.run import Done, Job, run
from plant_classification.errors import UnavailableError
from plant_classification.models import ModelFolder, read_model_folder
from plant_classification.question import Question
from plant_classification.settings import Settings

PHOTOS = 6


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_model(folder)
    return read_model_folder(folder)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("garden")
    for place in range(PHOTOS):
        pixels = np.random.default_rng(place).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{place}.png")
    return sorted(map(str, folder.iterdir()))


@contextlib.contextmanager
def site(when_asked: Callable[[], None]) -> Iterator[str]:
    """An address that does something when it is asked, and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(server.accept())
                    when_asked()

        threading.Thread(target=take, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def kill_new(before: list[int]) -> None:
    for child in set(children(os.getpid())) - set(before):
        os.kill(child, signal.SIGKILL)


@contextlib.contextmanager
def deadly(settings: Settings) -> Iterator[tuple[str, Settings]]:
    """A host that kills the process of a run when it is asked, and settings that ask it.

    The run has one process, since any other would be killed for photos that do no harm.
    """
    before = children(os.getpid())
    with site(lambda: kill_new(before)) as host:
        yield (
            host,
            dataclasses.replace(settings, url_private_hosts=(host,), url_seconds=600, threads=1),
        )


def rows(places: list[str], model: ModelFolder, settings: Settings, out: Path) -> list[Any]:
    done = run(Job((*places,), Grouping(), Question(), out), model, settings)
    assert done == Done(len(places), 0, 1)
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_a_photo_that_kills_its_process_is_a_row_and_the_others_are_answered(
    photos: list[str], model: ModelFolder, settings: Settings, tmp_path: Path
) -> None:
    before = children(os.getpid())
    with deadly(settings) as (host, asking):
        places = [*photos[:3], f"http://{host}/deadly.jpg", *photos[3:]]
        found = rows(places, model, asking, tmp_path / "t.jsonl")
    assert [row["observation"] for row in found] == places
    assert [row["error"] is None for row in found] == [True] * 3 + [False] + [True] * 3
    assert "process that read it died" in found[3]["error"]
    wait_until(all_gone(set(children(os.getpid())) - set(before)), "its processes are gone")


def test_a_photo_that_kills_its_process_beside_one_that_is_damaged_does_not_end_the_run(
    photos: list[str],
    model: ModelFolder,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "AT_ONCE", 2)
    (tmp_path / "damaged.jpg").write_bytes(b"no photo")
    with deadly(settings) as (host, asking):
        places = (f"http://{host}/deadly.jpg", str(tmp_path / "damaged.jpg"), *photos)
        out = tmp_path / "t.jsonl"
        done = run(Job(places, Grouping(), Question(), out), model, asking)
    assert done == Done(PHOTOS + 2, 0, 2)


def test_a_photo_that_takes_too_long_is_a_row_and_the_others_are_answered(
    photos: list[str], model: ModelFolder, settings: Settings, tmp_path: Path
) -> None:
    with site(lambda: None) as host:
        settings = dataclasses.replace(
            settings, url_private_hosts=(host,), url_seconds=600, deadline_seconds=3
        )
        slow = f"http://{host}/slow.jpg"
        found = rows([slow, *photos[:2]], model, settings, tmp_path / "t.jsonl")
    assert "No answer within 3 seconds" in found[0]["error"]
    assert [row["error"] for row in found[1:]] == [None, None]


def test_processes_that_always_die_end_the_run_which_goes_on_later(
    photos: list[str],
    model: ModelFolder,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "AT_ONCE", 2)
    with deadly(settings) as (host, asking):
        places = (f"http://{host}/1.jpg", f"http://{host}/2.jpg")
        job = Job(places, Grouping(), Question(), tmp_path / "t.jsonl")
        with pytest.raises(UnavailableError, match="failed 2 times"):
            run(job, model, asking)
    assert not job.out.exists()
