"""The training loop: epochs of steps, each judged on held-back photos, nothing lost on the way."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from plant_classification.data.pipeline import dataset_errors
from plant_classification.errors import ArgumentError, DivergedError, TrainingError
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.training import checkpoints
from plant_classification.training.clock import Clock
from plant_classification.training.config import TrainingConfig
from plant_classification.training.distribution import Distribution
from plant_classification.training.interruption import told_to_stop
from plant_classification.training.optimization import learning_rate
from plant_classification.training.progress import EpochFigures, Observer, Progress
from plant_classification.training.steps import Training, loss_of
from plant_classification.training.validation import Photos, judge

STEPS_BETWEEN_LOOKS = 5
"""Several workers look up together, so that all of them stop at the same step."""
WITHOUT_EFFECT = (
    *("base_directory", "images_directory", "name", "num_classes", "val_fraction", "mode"),
    *("batch_size", "strict", "views", "extend", "use_tensorboard", "tensorboard_port"),
)
"""Options that change no weight, or whose effect is in the plan."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a training needs to know of its data.

    Attributes:
        preprocessing: How the network wants its photos.
        shares: ``float64 (labels,)``, of each label among the photos as they are drawn.
        batch: Photos in a step, over all devices.
        steps_per_epoch: Steps in an epoch.
        identity: What else makes this training another one than others, as JSON takes it: a
            fingerprint of the data set, and of the weights to start from.
    """

    preprocessing: Preprocessing
    shares: NDArray[np.float64]
    batch: int
    steps_per_epoch: int
    identity: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        weights: The best weights, a file for ``load_weights``; the chief alone writes it.
        epochs: What each epoch came to.
        best: The epoch that the weights are of, from one up.
    """

    weights: Path
    epochs: tuple[EpochFigures, ...]
    best: int


def fit(
    build: Callable[[], keras.Model],
    config: TrainingConfig,
    plan: Plan,
    batches: Callable[[int], Any],
    held_back: Callable[[], Photos] | None,
    work: Path,
    observe: Observer,
    *,
    distribution: Distribution,
    unreadable: list[tuple[str, str]],
) -> Trained:
    """Train a network.

    A checkpoint is written to ``work`` after each epoch, and when SIGTERM or SIGINT comes: after
    the current step, or in the midst of an epoch's judgement, which is begun again on going on.
    Several workers need ``work`` in a folder that all of them see.

    Args:
        build: Makes the network, with the outputs ``[logits, features]`` and the weights to start
            from.
        config: The options.
        plan: What it needs to know of the data.
        batches: From the step to start at, a ``tf.data.Dataset`` of this worker's part of each
            batch until the last step: ``uint8 (N, size, size, 3)`` RGB and ``int32 (N,)``. It must
            depend on nothing but the step.
        held_back: Gives this worker's part of the photos to choose the best epoch by; without, the
            last one is kept.
        work: Where the checkpoints are.
        observe: Is told how far it is, some times a second at most.
        distribution: The devices.
        unreadable: Path and sentence of each photo that could not be read; ``batches`` adds to it.
            Checkpoints keep it: those of a part of the training before a break are put in front.

    Returns:
        Where the best weights are, and what each epoch came to.

    Raises:
        ArgumentError: The batch cannot be divided among the devices; no weight would change;
            ``work`` holds another training, or one that is not to be gone on with.
        TrainingError: The loss is no number, a checkpoint cannot be written or read, another worker
            has ended, or a signal came.
    """
    if plan.batch % distribution.replicas:
        raise ArgumentError(
            f"batch_size must be a multiple of the {distribution.replicas} devices that train "
            f"together, not {plan.batch}.",
            field="batch_size",
        )
    steps = plan.steps_per_epoch * config.epochs
    if config.accumulate > steps:
        raise ArgumentError(
            f"accumulate is {config.accumulate}, but the whole training has {steps} steps: no "
            "weight would change.",
            field="accumulate",
        )
    keras.utils.set_random_seed(config.seed)
    with distribution.together(), told_to_stop() as told:
        with distribution.strategy.scope():
            loss = loss_of(config, plan.shares)
            training = Training(build(), config, loss, plan.preprocessing, distribution)
        run = _Run(training, config, plan, held_back, work, observe, told, unreadable)
        run.go_on()
        steps = iter(distribution.spread(batches(run.step)))
        while not run.finished:
            run.epoch(steps)
        return run.finish()


class _ToldToStopError(Exception):
    """A signal came while an epoch was judged."""


@dataclasses.dataclass
class _Run:
    """A training that goes on: what the loop knows beside what is on the devices."""

    training: Training
    config: TrainingConfig
    plan: Plan
    held_back: Callable[[], Photos] | None
    work: Path
    observe: Observer
    told: Callable[[], bool]
    unreadable: list[tuple[str, str]]
    step: int = 0
    epochs: tuple[EpochFigures, ...] = ()
    checkpoint: Path | None = None
    validation_seconds: float = 0.0

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.plan.steps_per_epoch * self.config.epochs

    @property
    def best(self) -> int:
        """The best epoch so far, from one up; the last where none was judged.

        Of those with equal accuracy, frequent where few photos are held back, that with the lowest
        loss.
        """
        figure = "val_macro_top_1" if self.config.select_by == "macro" else "val_top_1"
        judged = [
            (getattr(epoch, figure), -epoch.val_loss)
            for epoch in self.epochs
            if epoch.val_loss is not None
        ]
        return 1 + judged.index(max(judged)) if judged else len(self.epochs)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the last ones brought nothing better."""
        patience = self.config.patience or max(1, self.config.epochs // 10)
        waited = len(self.epochs) - self.best if self.epochs else 0
        impatient = self.config.use_early_stopping and waited >= patience
        return impatient or len(self.epochs) == self.config.epochs

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """What makes this training another one than others."""
        options = self.config.to_dict().items()
        return {
            **{name: value for name, value in options if name not in WITHOUT_EFFECT},
            "batch": self.plan.batch,
            "steps_per_epoch": self.plan.steps_per_epoch,
            "preprocessing": self.plan.preprocessing.to_dict(),
            **self.plan.identity,
        }

    def go_on(self) -> None:
        """Start where the newest checkpoint ends, the same one for all workers."""
        found = checkpoints.read(self.work, self.fingerprint, self.training.variables())
        if found:
            self.checkpoint, state = found
            self.step, self.epochs = state.step, state.epochs
            self.unreadable[:0] = state.unreadable
        distribution = self.training.distribution
        here = float(self.step + len(self.epochs))
        if distribution.summed(np.array([here]))[0] != here * distribution.workers:
            raise TrainingError(
                f"The workers find different checkpoints in {self.work}; it must be a folder that "
                "all of them share."
            )
        if distribution.chief:
            self.work.mkdir(parents=True, exist_ok=True)
            checkpoints.prune(self.work, self.checkpoint)

    def epoch(self, batches: Iterator[Any]) -> None:
        """The rest of an epoch, its judgement and its checkpoint."""
        clock = Clock(self.plan.batch)
        end = self.plan.steps_per_epoch * (len(self.epochs) + 1)
        while self.step < end:
            with dataset_errors():
                images, labels = next(batches)
            rate = learning_rate(self.config, self.step, self.steps)
            done = self.step + 1
            update = done % self.config.accumulate == 0 or done == self.steps
            self.training.step(images, labels, rate, update=update)
            self.step += 1
            clock.count()
            if self.step < end:
                self._look(clock)
        self._stop_if_told()
        running = self._running()
        figures = self._judged(running, clock)
        self.epochs = (*self.epochs, figures)
        self.training.forget()
        self._write(is_best=self.best == figures.epoch)
        done, speed = self.plan.steps_per_epoch, figures.photos_per_second
        self._tell("training", done, figures.epoch, speed, **running)
        if self._any_told():
            self._stop()

    def finish(self) -> Trained:
        """Leave the weights of the best epoch."""
        path = self.work / "best.weights.h5"
        if self.training.distribution.chief and self.checkpoint:
            network = self.training.network
            checkpoints.load_best(self.checkpoint, network.weights)
            checkpoints.write_weights(path, network)
        return Trained(path, self.epochs, self.best)

    def _look(self, clock: Clock) -> None:
        """Now and then: stop if told so, see that all is well, and tell how far it is."""
        alone = self.training.distribution.workers == 1
        if not alone and self.step % STEPS_BETWEEN_LOOKS:
            return
        self._stop_if_told()
        if clock.is_time_to_look() or not alone:
            done, epoch = self.step % self.plan.steps_per_epoch, len(self.epochs) + 1
            self._tell("training", done, epoch, clock.photos_per_second(), **self._running())

    def _stop_if_told(self) -> None:
        if self._any_told():
            self._running()
            self._write(is_best=False)
            self._stop()

    def _running(self) -> dict[str, float]:
        """Means of the epoch so far; waits for the devices."""
        photos, *sums = self.training.figures()
        loss, top_1, top_5 = (float(value / photos) for value in sums)
        self._check_finite(loss)
        return {"loss": loss, "top_1": top_1, "top_5": top_5}

    def _judged(self, running: dict[str, float], clock: Clock) -> EpochFigures:
        """The figures of the epoch that is done."""
        epoch, speed = len(self.epochs) + 1, clock.photos_per_second()
        rate = learning_rate(self.config, self.step - 1, self.steps)
        figures = EpochFigures(epoch, **running, learning_rate=rate, photos_per_second=speed)
        if self.held_back is None:
            return figures
        start = time.perf_counter()

        def tell(done: int) -> None:
            if self.training.distribution.workers == 1 and self.told():
                raise _ToldToStopError
            if clock.is_time_to_look():
                self._tell("validating", done, epoch, speed, **running)

        try:
            judged = judge(self.training, self.held_back(), len(self.plan.shares), tell)
        except _ToldToStopError:
            self._stop_if_told()
            raise
        self.validation_seconds = time.perf_counter() - start
        self._check_finite(judged.get("val_loss", 0.0))
        return dataclasses.replace(figures, **judged)

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            rate = learning_rate(self.config, self.step - 1, self.steps)
            raise DivergedError(
                f"The loss is {loss} in epoch {len(self.epochs) + 1}, at step {self.step} of "
                f"{self.steps}, with the learning rate {rate:.3g}. Start the training anew with a "
                "smaller initial_lr, a warmup, or clip_norm 1."
            )

    def _any_told(self) -> bool:
        told = np.array([float(self.told())])
        return bool(self.training.distribution.summed(told)[0])

    def _write(self, *, is_best: bool) -> None:
        if self.training.distribution.chief:
            unreadable = tuple(self.unreadable)
            state = checkpoints.State(self.step, self.epochs, self.fingerprint, unreadable)
            before = self.checkpoint if self.epochs else None
            best = self.training.kept() if is_best else before
            self.checkpoint = checkpoints.write(self.work, state, self.training.variables(), best)

    def _stop(self) -> None:
        raise TrainingError(f"Stopped as asked after step {self.step} of {self.steps}.")

    def _tell(self, stage: str, done: int, epoch: int, speed: float, **running: float) -> None:
        left = None
        if speed:  # an epoch that only was to be judged has none
            left = (self.steps - self.step) * self.plan.batch / speed
            left += (self.config.epochs - len(self.epochs)) * self.validation_seconds
        self.observe(
            Progress(
                stage,
                done,
                self.plan.steps_per_epoch if stage == "training" else 0,
                epoch,
                self.config.epochs,
                **running,
                photos_per_second=speed,
                seconds_left=left,
                finished=self.epochs,
            )
        )
