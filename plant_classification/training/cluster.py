"""The machines that train together, as ``TF_CONFIG`` names them."""

from __future__ import annotations

import dataclasses
import json
import os

from plant_classification.errors import ArgumentError

VARIABLE = "TF_CONFIG"
TASKS = ("chief", "worker")
MOST_PORT = 65535


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Workers of one training.

    Attributes:
        addresses: ``host:port`` of each; none where ``TF_CONFIG`` is not set.
        worker: The place of this process among them; 0 is the chief, which alone writes.
    """

    addresses: tuple[str, ...] = ()
    worker: int = 0


def read_cluster() -> Cluster:
    """What ``TF_CONFIG`` says.

    Raises:
        ArgumentError: It cannot be used.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return Cluster()
    try:
        content = json.loads(text)
        cluster, task = content["cluster"], content["task"]
        tasks = [(kind, n) for kind in TASKS for n in range(len(cluster.get(kind, ())))]
        addresses = tuple(cluster[kind][n] for kind, n in tasks)
        for address in addresses:
            host_and_port(address)
        return Cluster(addresses, tasks.index((task["type"], task["index"])))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ArgumentError(
            f"{VARIABLE} cannot be used; it must be of the form "
            '{"cluster": {"worker": ["host:port", "host:port"]}, '
            '"task": {"type": "worker", "index": 0}}.',
            field=VARIABLE,
        ) from None


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of ``host:port``; the host may stand in brackets.

    Raises:
        ValueError: There is no port, or one that cannot be.
    """
    host, _, port = address.rpartition(":")
    if not 1 <= int(port) <= MOST_PORT:
        raise ValueError(f"a port is from 1 to {MOST_PORT}")
    return host.strip("[]"), int(port)
