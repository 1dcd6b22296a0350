"""Several devices and several machines: the same training as on one, or a clear end."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tiny_training
from numpy.typing import NDArray
from processes import wait_until
from tiny_training import BATCH, build, train

from plant_classification.errors import ArgumentError, TrainingError
from plant_classification.training import distribution
from plant_classification.training.distribution import Distribution, choose, gather
from plant_classification.training.progress import EpochFigures

# TensorFlow's variables lack what NumPy 2 asks of them; Keras saves weights through it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ENDED = "Another worker of this training has ended"


def numbers(epochs: Any) -> NDArray[np.float64]:
    """All figures but the speed."""
    figures = [dataclasses.replace(epoch, photos_per_second=0.0) for epoch in epochs]
    return np.array([dataclasses.astuple(epoch) for epoch in figures], float)


def started(work: Path, environment: Mapping[str, str], **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, tiny_training.__file__, str(work), json.dumps(options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def finished(process: subprocess.Popen[str]) -> list[EpochFigures]:
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-2000:]
    return [EpochFigures(**figures) for figures in json.loads(said)]


@pytest.fixture
def addresses() -> list[str]:
    """Two places on this machine that are free."""
    with socket.create_server(("", 0)) as one, socket.create_server(("", 0)) as other:
        return [f"127.0.0.1:{server.getsockname()[1]}" for server in (one, other)]


def cluster(addresses: list[str], index: int, **more: str) -> dict[str, str]:
    task = {"type": "worker", "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task}), **more}


@pytest.fixture
def workers(tmp_path: Path, addresses: list[str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Two workers of one training, in step; whatever happens, they end with the test."""
    pair = [
        started(tmp_path / "work", cluster(addresses, index, PAUSE="0.3"), dropout=0, ema=0.5)
        for index in (0, 1)
    ]
    yield pair
    for process in pair:
        process.kill()
        process.communicate()


def test_one_device_is_the_rule_whatever_an_empty_variable_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TF_CONFIG", " ")
    devices = choose()
    assert (devices.worker, devices.workers, devices.replicas) == (0, 1, 1)
    assert devices.chief
    sums = np.array([1.0, 2.0])
    assert devices.summed(sums) is sums


def test_a_step_that_memory_does_not_hold_is_a_sentence() -> None:
    with pytest.raises(TrainingError, match="too little memory"), choose().together():
        tf.zeros((2**22, 2**22))  # 64 TiB


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1", "b:1"]}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "ps", "index": 0}}',
        '{"cluster": {"worker": ["a", "b:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:70000", "b:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_variable_that_cannot_be_used_is_refused_with_its_form(
    content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", content)
    with pytest.raises(ArgumentError, match=r"TF_CONFIG cannot be used; it must be of the form"):
        choose()


def test_a_worker_that_does_not_come_is_named(addresses: list[str]) -> None:
    with pytest.raises(TrainingError, match=f"No worker answers at {addresses[1]} of TF_CONFIG"):
        gather(addresses, 0, 0.1)


def test_a_place_that_is_taken_is_named(addresses: list[str]) -> None:
    with (
        socket.create_server(("", int(addresses[0].rpartition(":")[2]))),
        pytest.raises(TrainingError, match=f"cannot listen at {addresses[0]} .*in use"),
    ):
        gather(addresses, 0, 0.1)


def test_workers_wait_for_each_other(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "SECONDS_BETWEEN_CALLS", 0.05)
    first = threading.Thread(target=gather, args=(addresses, 0, 60))
    first.start()
    time.sleep(0.2)
    assert first.is_alive()
    with socket.create_server(("", int(addresses[1].rpartition(":")[2]))):
        first.join(60)
    assert not first.is_alive()


def test_a_batch_that_cannot_be_divided_is_refused(tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Three(Distribution):
        @property
        def replicas(self) -> int:
            return 3

    with pytest.raises(ArgumentError, match=f"a multiple of the 3 devices .*, not {BATCH}") as said:
        train(tmp_path, devices=Three(choose().strategy))
    assert said.value.field == "batch_size"


def test_workers_that_find_different_checkpoints_do_not_start(tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class BesideAnother(Distribution):
        """With another worker, which has found a checkpoint of step 7."""

        def summed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
            return values + 7

    with pytest.raises(TrainingError, match=r"different checkpoints .* all of them share"):
        train(tmp_path / "work", devices=BesideAnother(choose().strategy))
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_two_devices_of_one_machine_give_the_losses_of_one(tmp_path: Path) -> None:
    options: dict[str, Any] = {"ema": 0.5, "accumulate": 2, "clip_norm": 0.5}
    two = started(tmp_path / "two", {}, dropout=0, two_devices=True, **options)
    one = train(tmp_path / "one", network=build, **options)
    np.testing.assert_allclose(numbers(finished(two)), numbers(one.epochs), atol=1e-4)


@pytest.mark.slow
def test_two_workers_give_the_losses_of_one_process(
    tmp_path: Path, workers: list[subprocess.Popen[str]]
) -> None:
    one = train(tmp_path / "one", network=build, ema=0.5)
    chief, other = map(finished, workers)
    np.testing.assert_allclose(numbers(chief), numbers(one.epochs), atol=1e-4)
    np.testing.assert_array_equal(numbers(other), numbers(chief))


@pytest.mark.parametrize(
    "killed", [pytest.param(0, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.soak)]
)
def test_a_killed_worker_ends_the_other_with_a_sentence_and_both_go_on(
    tmp_path: Path, workers: list[subprocess.Popen[str]], addresses: list[str], killed: int
) -> None:
    work = tmp_path / "work"
    wait_until(lambda: list(work.glob("checkpoint-*[0-9]")), "a checkpoint is written", 300)
    workers[killed].kill()
    _, errors = workers[1 - killed].communicate(timeout=120)
    assert workers[1 - killed].returncode not in (0, None)
    assert ENDED in errors
    assert "start all of them again" in errors
    again = [started(work, cluster(addresses, index), dropout=0, ema=0.5) for index in (0, 1)]
    one = train(tmp_path / "one", network=build, ema=0.5)
    for resumed in map(finished, again):
        np.testing.assert_allclose(numbers(resumed), numbers(one.epochs), atol=1e-4)
