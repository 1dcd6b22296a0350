"""The same run on a Ray cluster of two nodes: the same table, also when a node dies."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_network import write_tiny_model

from plant_classification.bulk import cluster, parts
from plant_classification.bulk.observations import Grouping
from plant_classification.bulk.run import Done, Job, run
from plant_classification.errors import ArgumentError, ModelFolderError, UnavailableError
from plant_classification.models import read_model_folder
from plant_classification.question import Question
from plant_classification.settings import Settings, load_settings

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]

PHOTOS = 60


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "tiny")
    return load_settings(models_dir=folder)


@pytest.fixture(scope="module")
def garden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("garden")
    for place in range(PHOTOS):
        pixels = np.random.default_rng(place).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{place:02}.png")
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster whose head takes no work, and two nodes of two processors each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setattr(parts, "MEAN", 2)
    made: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    made.workers = [made.add_node(num_cpus=2) for _ in range(2)]
    yield made
    for thread in threading.enumerate():  # else it would join the cluster again
        if thread.name == cluster.TAKING:
            thread.join(60)
    ray.shutdown()
    made.shutdown()


def job(garden: Path, out: Path, address: str | None) -> Job:
    return Job((str(garden),), Grouping(), Question(), out, cluster=address)


def rows(table: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in table.read_text("utf-8").splitlines()]


def same(table: Path, other: Path) -> bool:
    """Whether names are the same, and probabilities to 1e-4."""
    ours, theirs = rows(table), rows(other)
    for row in (*ours, *theirs):
        for name in ("probability", "probabilities", "is_plant"):
            row[name] = np.round(row[name], 3).tolist() if row[name] else None
    return ours == theirs


def test_two_nodes_write_the_table_of_one_machine(
    nodes: Any, garden: Path, settings: Settings, tmp_path: Path
) -> None:
    model = read_model_folder(settings.models_dir / "tiny")
    run(job(garden, tmp_path / "here.jsonl", None), model, settings)
    table = tmp_path / "there.jsonl"
    assert run(job(garden, table, nodes.address), model, settings) == Done(PHOTOS + 1, 0, 1)
    assert same(table, tmp_path / "here.jsonl")
    again = run(job(garden, table, nodes.address), model, settings)
    assert again == Done(PHOTOS + 1, PHOTOS + 1, 1)


def test_a_node_that_is_killed_is_no_loss(
    nodes: Any, garden: Path, settings: Settings, tmp_path: Path
) -> None:
    model = read_model_folder(settings.models_dir / "tiny")
    run(job(garden, tmp_path / "here.jsonl", None), model, settings)
    killed = False

    def tell(done: Done) -> None:
        nonlocal killed
        if not killed and done.rows > 3:
            killed = True
            nodes.remove_node(nodes.workers[0], allow_graceful=False)

    table = tmp_path / "there.jsonl"
    done = run(job(garden, table, nodes.address), model, settings, tell=tell)
    assert killed
    assert done.rows == PHOTOS + 1
    assert same(table, tmp_path / "here.jsonl")


def test_what_a_worker_raises_is_raised_and_what_is_done_is_kept(
    nodes: Any, garden: Path, settings: Settings, tmp_path: Path
) -> None:
    model = read_model_folder(settings.models_dir / "tiny")
    network = model.path / "network.bin"
    content = network.read_bytes()
    network.write_bytes(content[:-1] + b"x")
    try:
        with pytest.raises(ModelFolderError, match=r"network\.bin"):
            run(job(garden, tmp_path / "t.jsonl", nodes.address), model, settings)
    finally:
        network.write_bytes(content)


def test_a_photo_that_hangs_is_a_row_and_the_others_are_answered(
    nodes: Any, garden: Path, settings: Settings, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        settings = dataclasses.replace(
            settings, url_private_hosts=(host,), url_seconds=600, deadline_seconds=3
        )
        listed = tmp_path / "list.csv"
        photos = sorted(garden.glob("*.png"))[:4]
        lines = [str(photos[0]), f"http://{host}/silent.jpg", *map(str, photos[1:])]
        listed.write_text("\n".join(["photo", *lines]))
        model = read_model_folder(settings.models_dir / "tiny")
        table = tmp_path / "t.jsonl"
        assert run(job(listed, table, nodes.address), model, settings) == Done(5, 0, 1)
    rows = [json.loads(line) for line in table.read_text("utf-8").splitlines()]
    assert [row["error"] is None for row in rows] == [True, False, True, True, True]
    assert "No answer within 3 seconds" in rows[1]["error"]


def test_a_cluster_that_does_nothing_is_given_up(
    nodes: Any, garden: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.01)
    settings = dataclasses.replace(settings, deadline_seconds=0.01)
    model = read_model_folder(settings.models_dir / "tiny")
    with pytest.raises(UnavailableError, match="has finished nothing for 0 seconds"):
        run(job(garden, tmp_path / "t.jsonl", nodes.address), model, settings)


def test_a_cluster_that_is_not_there(garden: Path, settings: Settings, tmp_path: Path) -> None:
    model = read_model_folder(settings.models_dir / "tiny")
    for address in ("127.0.0.1:9", "nowhere"):
        with pytest.raises(ArgumentError, match=f"no Ray cluster at '{address}'"):
            run(job(garden, tmp_path / "t.jsonl", address), model, settings)
    assert not (tmp_path / "t.jsonl.parts").exists()
