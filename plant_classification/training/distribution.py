"""Where a training runs: one device, several GPUs, or several machines that ``TF_CONFIG`` names."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from plant_classification.errors import TrainingError
from plant_classification.training.cluster import VARIABLE, host_and_port, read_cluster

SECONDS_TO_GATHER = 600.0
SECONDS_BETWEEN_CALLS = 1.0
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)
"""What TensorFlow raises in a worker when another one is gone."""


@dataclasses.dataclass(frozen=True)
class Distribution:
    """The devices and workers of a training.

    Attributes:
        strategy: TensorFlow's; the network is made in its scope.
        worker: This process among them, from 0 up; 0, the chief, alone writes.
        workers: Processes that train together.
    """

    strategy: Any
    worker: int = 0
    workers: int = 1

    @property
    def chief(self) -> bool:
        """Whether this is the worker that writes."""
        return self.worker == 0

    @property
    def replicas(self) -> int:
        """Devices that train together, over all workers."""
        return int(self.strategy.num_replicas_in_sync)

    def spread(self, batches: Any) -> Any:
        """What gives each device of this worker its part of every batch.

        Args:
            batches: A ``tf.data.Dataset`` of this worker's batches, of one size.
        """
        local = self.replicas // self.workers
        if local > 1:
            size = tf.nest.flatten(batches.element_spec)[0].shape[0]
            batches = batches.rebatch(size // local, drop_remainder=True)
        return self.strategy.distribute_datasets_from_function(lambda _: batches)

    def summed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum of all workers' arrays; every worker must call it, and gets the same."""
        if self.workers == 1:
            return values
        local = self.replicas // self.workers

        def of_replica(context: Any) -> Any:
            first = context.replica_id_in_sync_group % local == 0
            return tf.constant(values if first else np.zeros_like(values))

        everywhere = self.strategy.experimental_distribute_values_from_function(of_replica)
        return np.asarray(self.strategy.reduce(tf.distribute.ReduceOp.SUM, everywhere, axis=None))

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """A block in which the loss of another worker, and full memory, are a sentence.

        Raises:
            TrainingError: Another worker has ended, or a step does not fit into the memory.
        """
        try:
            yield
        except tf.errors.ResourceExhaustedError as error:
            raise TrainingError(
                "The device has too little memory for a step; start again with a smaller "
                "batch_size, or with 'auto', which finds the largest by trial. accumulate adds up "
                "several steps."
            ) from error
        except LOST as error:
            if self.workers == 1:
                raise
            raise TrainingError(
                f"Another worker of this training has ended, so worker {self.worker} of "
                f"{self.workers} ends too; see why there, then start all of them again."
            ) from error


def choose() -> Distribution:
    """The machines of ``TF_CONFIG``, else all GPUs, else the one device that there is.

    Call it before anything else of TensorFlow runs in the process. Machines wait for each other.

    Raises:
        ArgumentError: ``TF_CONFIG`` cannot be used.
        TrainingError: Another machine does not answer.
    """
    cluster = read_cluster()
    workers = len(cluster.addresses)
    if workers > 1:
        gather(cluster.addresses, cluster.worker, SECONDS_TO_GATHER)
        with Distribution(None, cluster.worker, workers).together():
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        return Distribution(strategy, cluster.worker, workers)
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return Distribution(tf.distribute.MirroredStrategy())
    return Distribution(tf.distribute.get_strategy())


def gather(addresses: Sequence[str], worker: int, seconds: float) -> None:
    """Wait until all workers are there: TensorFlow itself would wait for an hour, deaf to Ctrl-C.

    Args:
        addresses: ``host:port`` of all workers.
        worker: This one among them; it listens meanwhile.
        seconds: After which it is given up.

    Raises:
        TrainingError: Some did not answer in time, or this one cannot listen.
    """
    end = time.monotonic() + seconds
    missing = [address for address in addresses if address != addresses[worker]]
    try:
        with socket.create_server(("", host_and_port(addresses[worker])[1])):
            while missing and time.monotonic() < end:
                missing = [address for address in missing if not _answers(address)]
                time.sleep(SECONDS_BETWEEN_CALLS if missing else 0)
    except OSError as fault:
        raise TrainingError(
            f"Worker {worker} cannot listen at {addresses[worker]} of {VARIABLE}: {fault.strerror}."
        ) from None
    if missing:
        raise TrainingError(
            f"No worker answers at {', '.join(missing)} of {VARIABLE} within "
            f"{seconds:g} seconds; start all workers at about the same time."
        )


def _answers(address: str) -> bool:
    try:
        socket.create_connection(host_and_port(address), timeout=SECONDS_BETWEEN_CALLS).close()
    except OSError:
        return False
    return True
