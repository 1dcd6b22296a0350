"""How many photos a step may have: as asked, or the most that memory holds, found by trial.

The trial runs in a process of its own, so that what it takes is given back. A GPU says when it is
full. The memory of the machine is not filled for a try: steps of two sizes tell how it grows.
"""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from plant_classification.data import photo_memory
from plant_classification.errors import ArgumentError, TrainingError
from plant_classification.processes import python
from plant_classification.training import checkpoints
from plant_classification.training.cluster import read_cluster
from plant_classification.training.config import AUTO, TrainingConfig, load_training_config

SMALL, LARGE = 2, 8
SHARE = 0.8
"""Of the memory that is free; the rest is for the photos on their way."""


def batch_size(
    config: TrainingConfig, architecture: str, size: int, labels: int, photos: int, work: Path
) -> int:
    """Photos in a step, over all devices.

    Call it before TensorFlow takes the GPUs, for the trial needs them.

    Args:
        config: ``batch_size``, and all that takes memory.
        architecture: Name of the network.
        size: Side of its input in pixels.
        labels: Number of logits.
        photos: To train on; a batch found by trial has no more.
        work: The folder of the training: what it goes on from says the size that was found.

    Returns:
        The option, or where it is ``auto`` the largest power of two that memory holds.

    Raises:
        ArgumentError: ``auto`` on several machines, or ``TF_CONFIG`` cannot be used.
        TrainingError: The trial fails.
    """
    if isinstance(config.batch_size, int):
        return config.batch_size
    for state in checkpoints.find(work).values():
        return int(state.fingerprint["batch"])
    if len(read_cluster().addresses) > 1:
        raise ArgumentError(
            f"batch_size is {AUTO}, which is for one machine; give a number.", field="batch_size"
        )
    cached = photo_memory.needed_memory(photos, size) if config.cache else 0
    free = SHARE * (photo_memory.free_memory() or 0) - cached
    job = {
        "config": {**config.to_dict(), "batch_size": 1},
        "architecture": architecture,
        "size": size,
        "labels": labels,
        "most": photos,
        "free": free,
    }
    trial = subprocess.run(
        python("from plant_classification.training.batch_size import main; main()"),
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
    )
    if trial.returncode:
        raise TrainingError(
            f"The largest batch cannot be found by trial ({_last_line(trial.stderr)}); give "
            "batch_size a number."
        )
    return int(trial.stdout.split()[-1])


def power_of_two(most: float) -> int:
    """The largest power of two that is not more, and at least one."""
    return int(2 ** max(0, math.floor(math.log2(max(most, 1)))))


def main() -> None:
    """Find the batch for what standard input says."""
    print(_try(json.load(sys.stdin)))


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["its process was killed"])[-1]


def _try(job: dict[str, Any]) -> int:
    """The trial, in its own process."""
    import tensorflow as tf

    from plant_classification.networks import build, find_architecture
    from plant_classification.training.distribution import Distribution
    from plant_classification.training.steps import Training, loss_of

    config, _ = load_training_config(("the training", job["config"]))
    labels, size = job["labels"], job["size"]
    training = Training(
        build(job["architecture"], labels, size),
        config,
        loss_of(config, tf.fill(labels, 1 / labels).numpy()),
        find_architecture(job["architecture"]).preprocessing,
        Distribution(tf.distribute.get_strategy()),
    )

    def step(batch: int) -> None:
        for _ in range(2):
            images = tf.zeros((batch, size, size, 3), tf.uint8)
            training.step(images, tf.zeros(batch, tf.int32), 0.0, update=True)
            training.figures()

    if gpus := tf.config.list_physical_devices("GPU"):
        batch = 1
        with contextlib.suppress(tf.errors.ResourceExhaustedError):
            step(batch)
            while batch * 2 * len(gpus) <= job["most"]:
                step(batch * 2)
                batch *= 2
        return batch * len(gpus)
    before = _peak()
    step(1)
    step(SMALL)  # makes a graph for any size
    small = _peak()
    for_one, rest = (small - before) / SMALL, float(before)
    if rest + 2 * LARGE * for_one < job["free"]:  # then it is safe to look closer
        step(LARGE)
        for_one = max(1.0, (_peak() - small) / (LARGE - SMALL))
        rest = small - SMALL * for_one
    return power_of_two(min(job["most"], (job["free"] - rest) / for_one))


def _peak() -> int:
    """Most bytes of memory that this process has had."""
    with Path("/proc/self/status").open() as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["VmHWM"].split()[0]) * 1024
