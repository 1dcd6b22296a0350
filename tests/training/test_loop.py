"""Whole trainings, tiny ones: what they come to, how they stop, and how they go on."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tiny_training
from numpy.typing import NDArray
from tiny_training import BATCH, RULE, STEPS, build, held_back, train

from plant_classification.errors import ArgumentError, DivergedError, TrainingError
from plant_classification.training import checkpoints
from plant_classification.training.config import training_options
from plant_classification.training.distribution import choose
from plant_classification.training.loop import WITHOUT_EFFECT, Trained
from plant_classification.training.progress import EpochFigures, Progress
from plant_classification.training.steps import Training

# TensorFlow's variables lack what NumPy 2 asks of them; Keras saves weights through it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def loaded(trained: Trained) -> keras.Model:
    network = build()
    network.load_weights(trained.weights)
    return network


def judged(network: keras.Model) -> dict[str, float]:
    """The figures of the held-back photos, computed another way than the loop does."""
    batches = list(held_back(choose()))
    labels = np.concatenate([labels for _, labels in batches])
    images = RULE.normalize(np.concatenate([images for images, _ in batches]))
    logits = network.predict(images, verbose=0)[0].astype(float)
    log_softmax = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    order = (-logits).argsort(axis=1)
    right: NDArray[np.bool_] = order[:, 0] == labels
    return {
        "val_loss": float(-log_softmax[np.arange(len(labels)), labels].mean()),
        "val_top_1": float(right.mean()),
        "val_top_5": float((order[:, :5] == labels[:, np.newaxis]).any(axis=1).mean()),
        "val_macro_top_1": float(np.mean([right[labels == n].mean() for n in set(labels)])),
    }


def without_speed(epochs: tuple[EpochFigures, ...]) -> list[EpochFigures]:
    return [dataclasses.replace(figures, photos_per_second=0.0) for figures in epochs]


def numbers(epochs: tuple[EpochFigures, ...]) -> NDArray[np.float64]:
    return np.array([dataclasses.astuple(figures) for figures in without_speed(epochs)], float)


def at(step: int, epoch: int, act: Callable[[], Any]) -> Callable[[Progress], None]:
    """An observer that acts once, when a step of an epoch is done."""
    done: list[int] = []

    def observe(progress: Progress) -> None:
        here = progress.stage == "training" and progress.epoch == epoch and progress.done >= step
        if here and not done:
            done.append(step)
            act()

    return observe


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The observer is told of every step."""
    monkeypatch.setattr("plant_classification.training.clock.SECONDS_BETWEEN_LOOKS", 0.0)


def test_it_learns_and_leaves_the_weights_of_the_best_epoch(tmp_path: Path) -> None:
    trained = train(tmp_path, epochs=8, lr_step_schedule=[])
    first, last = trained.epochs[0], trained.epochs[-1]
    assert last.loss < first.loss
    assert last.top_1 > first.top_1
    assert [figures.epoch for figures in trained.epochs] == list(range(1, 9))
    best = trained.epochs[trained.best - 1]
    assert best.val_top_1 == max(figures.val_top_1 or 0 for figures in trained.epochs)
    for name, value in judged(loaded(trained)).items():
        assert getattr(best, name) == pytest.approx(value, abs=1e-5), name


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_by_macro_accuracy_another_epoch_may_be_the_best(tmp_path: Path, ema: float) -> None:
    trained = train(tmp_path, epochs=6, select_by="macro", ema=ema)
    macro = [figures.val_macro_top_1 or 0 for figures in trained.epochs]
    best = trained.epochs[trained.best - 1]
    assert best.val_macro_top_1 == max(macro)
    equal = [figures for figures in trained.epochs if figures.val_macro_top_1 == max(macro)]
    assert best.val_loss == min(figures.val_loss or 0 for figures in equal)
    assert judged(loaded(trained))["val_macro_top_1"] == pytest.approx(max(macro))


def test_the_weights_of_a_frozen_backbone_are_there_too(tmp_path: Path) -> None:
    trained = train(tmp_path, epochs=1, backbone_lr=0.0, frozen_batchnorm=True, ema=0.5)
    found = judged(loaded(trained))
    assert trained.epochs[0].val_loss == pytest.approx(found["val_loss"], abs=1e-5)


def test_without_validation_the_last_weights_are_kept(tmp_path: Path) -> None:
    trained = train(tmp_path, epochs=2, use_validation=False, use_early_stopping=True)
    assert trained.best == len(trained.epochs) == 2
    assert trained.epochs[-1].val_loss is None
    _, state = next(iter(checkpoints.find(tmp_path).items()))
    assert state.step == 2 * STEPS


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path: Path) -> None:
    options: dict[str, Any] = {"epochs": 2, "ema": 0.9, "backbone_lr": 1.0}
    once, again = train(tmp_path / "1", **options), train(tmp_path / "2", **options)
    assert without_speed(once.epochs) == without_speed(again.epochs)
    for one, other in zip(loaded(once).get_weights(), loaded(again).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    other_seed = train(tmp_path / "3", seed=1, **options)
    assert other_seed.epochs[0].loss != once.epochs[0].loss


def test_it_stops_early_when_nothing_better_came_for_a_while(tmp_path: Path) -> None:
    options: dict[str, Any] = {"epochs": 30, "initial_lr": 0.0, "frozen_batchnorm": True}
    options |= {"use_early_stopping": True, "patience": 3}
    trained = train(tmp_path, **options)
    assert trained.best == 1
    assert len(trained.epochs) == 4
    again = train(tmp_path, **options)
    assert again.epochs == trained.epochs


def test_the_observer_hears_of_each_epoch_and_at_most_some_times_a_second(tmp_path: Path) -> None:
    heard: list[Progress] = []
    start = time.perf_counter()
    trained = train(tmp_path, heard.append, epochs=3)
    seconds = time.perf_counter() - start
    assert len(heard) <= 3 * 2 + seconds / 0.4
    ends = [p for p in heard if p.stage == "training" and p.done == p.total == STEPS]
    assert [len(progress.finished) for progress in ends] == [1, 2, 3]
    assert ends[-1].finished == trained.epochs
    assert ends[-1].seconds_left == pytest.approx(0)
    assert ends[0].loss == trained.epochs[0].loss


def test_running_means_are_of_the_epoch_so_far(tmp_path: Path, every_step: None) -> None:
    heard: list[Progress] = []
    train(tmp_path, heard.append, epochs=2)
    steps = [p for p in heard if p.stage == "training" and p.epoch == 2]
    assert [progress.done for progress in steps] == [1, 2, 3, 4, 5, 6, 7]
    assert all(0 <= (p.top_1 or 0) <= (p.top_5 or 0) <= 1 for p in steps)
    assert (steps[0].top_1 or 0) * BATCH == round((steps[0].top_1 or 0) * BATCH)


def test_a_loss_that_is_no_number_ends_with_a_sentence_and_no_checkpoint(tmp_path: Path) -> None:
    def network() -> keras.Model:
        made = build()
        made.get_layer("logits").kernel.assign(np.full((8, 6), 3e38, np.float32))
        return made

    with pytest.raises(DivergedError, match=r"in epoch 1, at step \d of 28, with the .* 0\.02"):
        train(tmp_path, network=network)
    assert not checkpoints.find(tmp_path)


def test_told_to_stop_it_finishes_the_step_and_goes_on_to_the_same_end(
    tmp_path: Path, every_step: None
) -> None:
    """Within an epoch, with half of the gradients for an update added up."""
    options: dict[str, Any] = {"accumulate": 2, "ema": 0.9}
    unbroken = train(tmp_path / "unbroken", **options)
    before = signal.getsignal(signal.SIGTERM)
    stop = at(3, 2, partial(signal.raise_signal, signal.SIGTERM))
    with pytest.raises(TrainingError, match=r"Stopped as asked after step 11 of 28"):
        train(tmp_path / "broken", stop, **options)
    assert signal.getsignal(signal.SIGTERM) == before
    resumed = train(tmp_path / "broken", **options)
    np.testing.assert_allclose(numbers(resumed.epochs), numbers(unbroken.epochs), atol=1e-5)
    found, expected = loaded(resumed).get_weights(), loaded(unbroken).get_weights()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_told_to_stop_in_the_first_step_or_the_last_of_an_epoch_it_goes_on_as_well(
    tmp_path: Path, every_step: None
) -> None:
    unbroken = train(tmp_path / "unbroken")
    for step, epoch in ((1, 1), (3, 1), (STEPS, 2), (1, 3)):
        stop = at(step, epoch, partial(signal.raise_signal, signal.SIGINT))
        with pytest.raises(TrainingError, match="Stopped as asked"):
            train(tmp_path / "broken", stop)
    resumed = train(tmp_path / "broken")
    np.testing.assert_allclose(numbers(resumed.epochs), numbers(unbroken.epochs), atol=1e-5)


def test_told_to_stop_while_an_epoch_is_judged_it_judges_it_on_going_on(
    tmp_path: Path, every_step: None
) -> None:
    """In the midst, and at the end, of the training; none of its steps is done again."""
    unbroken = train(tmp_path / "unbroken")
    for epoch in (2, 4, 4):
        heard: list[Progress] = []

        def stop(progress: Progress, epoch: int = epoch, heard: list[Progress] = heard) -> None:
            heard.append(progress)
            if progress.stage == "validating" and progress.epoch == epoch:
                signal.raise_signal(signal.SIGTERM)

        with pytest.raises(TrainingError, match=f"Stopped as asked after step {epoch * STEPS} of"):
            train(tmp_path / "broken", stop)
        assert heard[-1].stage == "validating"
    heard = []
    resumed = train(tmp_path / "broken", heard.append)
    assert [progress.done for progress in heard if progress.stage == "training"] == [STEPS]
    np.testing.assert_allclose(numbers(resumed.epochs), numbers(unbroken.epochs), atol=1e-5)
    for one, other in zip(loaded(resumed).weights, loaded(unbroken).weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-6)


def test_of_epochs_with_equal_accuracy_the_one_with_the_lowest_loss_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([0.9, 0.4, 0.1, 0.2])

    def equal(*_: Any) -> dict[str, float]:
        return {"val_loss": next(losses), "val_top_1": 1.0, "val_top_5": 1.0}

    monkeypatch.setattr("plant_classification.training.loop.judge", equal)
    assert train(tmp_path, epochs=4, use_early_stopping=True, patience=2).best == 3


def test_no_gradient_is_thrown_away_where_the_steps_do_not_come_out_even(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates: list[bool] = []
    step = Training.step

    def spied(self: Training, *given: Any, update: bool) -> None:
        updates.append(update)
        step(self, *given, update=update)

    monkeypatch.setattr(Training, "step", spied)
    train(tmp_path, epochs=1, accumulate=4)
    assert updates == [False, False, False, True, False, False, True]


def test_a_finished_training_gives_its_result_again(tmp_path: Path) -> None:
    trained = train(tmp_path, epochs=2)
    trained.weights.unlink()
    again = train(tmp_path, epochs=2)
    assert again == trained
    assert again.weights.is_file()


def test_more_steps_to_add_up_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"accumulate is 29, .* has 28 steps") as said:
        train(tmp_path / "work", accumulate=29)
    assert said.value.field == "accumulate"
    assert not (tmp_path / "work").exists()


def test_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    train(tmp_path, epochs=1)
    with pytest.raises(ArgumentError, match=r"initial_lr was 0\.02 and is 0\.5; seed was 0 and is"):
        train(tmp_path, epochs=1, initial_lr=0.5, seed=1)
    train(tmp_path, epochs=1, use_tensorboard=False)  # this one changes nothing


def test_what_changes_no_weight_is_an_option() -> None:
    assert set(WITHOUT_EFFECT) <= set(training_options())


MOMENTS = [
    None,
    "open:checkpoint-000000014-00002.partial/variables",
    "open:checkpoint-000000014-00002.partial/best",
    "os.rename:checkpoint-000000014-00002",
    "shutil.rmtree:checkpoint-000000007-00001",
    "os.rename:best.weights",
]
"""When it is killed: at some time of its own, then at ever later moments of writing."""


def as_program(work: Path, *, moment: str | None = None) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    if moment:
        environment["KILL"] = moment
    options = json.dumps({"epochs": 4, "accumulate": 2})
    return subprocess.Popen(
        [sys.executable, tiny_training.__file__, str(work), options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_end_of_an_unbroken_run(tmp_path: Path) -> None:
    unbroken = train(tmp_path / "unbroken", accumulate=2)
    work = tmp_path / "killed"
    for moment in MOMENTS:
        with as_program(work, moment=moment) as process:
            if moment is None:
                while not list(work.glob("checkpoint-*")):
                    assert process.poll() is None
                    time.sleep(0.001)
                process.kill()
            assert process.wait() == -signal.SIGKILL, moment
    with as_program(work) as process:
        said, _ = process.communicate()
    assert process.returncode == 0
    resumed = tuple(EpochFigures(**figures) for figures in json.loads(said))
    np.testing.assert_allclose(numbers(resumed), numbers(unbroken.epochs), atol=1e-5)
    assert sorted(path.name for path in work.iterdir()) == sorted(
        path.name for path in (tmp_path / "unbroken").iterdir()
    )
