"""``plant-classification train``: a model of one's own, from photos."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plant_classification.cli import options
from plant_classification.cli.quiet import load_tensorflow
from plant_classification.errors import ArgumentError, DivergedError, TrainingError
from plant_classification.question import Question
from plant_classification.settings import Settings, load_settings
from plant_classification.training.config import (
    Option,
    TrainingConfig,
    from_text,
    load_training_config,
    read_options,
    training_options,
)

if TYPE_CHECKING:
    from plant_classification.models import ModelFolder
    from plant_classification.training.run import Outline

SHORT = ("mode", "init", "extend", "name")
"""Options of a training that are options of the command too."""

SPLITS = {"val": "validation"}
"""What splits are called where people read."""


def _short(command: Callable[..., None]) -> Callable[..., None]:
    for name in reversed(SHORT):
        option = training_options()[name]
        kind = click.Choice(option.choices) if option.choices else click.STRING
        metavar = None if option.choices else {"name": "NAME"}.get(name, "MODEL")
        command = click.option(f"--{name}", type=kind, metavar=metavar, help=option.help)(command)
    return command


def _print_options(ctx: click.Context, _parameter: click.Parameter, is_asked: bool) -> None:
    if not is_asked or ctx.resilient_parsing:
        return
    for option in training_options().values():
        click.echo(f"# {option.help}")
        click.echo(f"{option.name}: {json.dumps(option.default)}{_values(option)}\n")
    ctx.exit()


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@_short
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with options of the training, one a line: 'epochs: 30'.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="OPTION=VALUE",
    help="Any option of the training (see --options), as often as needed; it wins over --config.",
)
@click.option("--resume", is_flag=True, help="Go on with the training of that --name.")
@click.option("--dry-run", is_flag=True, help="Read and check, say what would be done, and end.")
@click.option(
    "--options",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_options,
    help="Print all options of a training with their defaults, as a file for --config, and end.",
)
@options.models_dir
def train(
    data: Path,
    config: Path | None,
    assignments: Sequence[str],
    resume: bool,
    dry_run: bool,
    models_dir: Path | None,
    **short: str | None,
) -> None:
    """Train a model on the photos in DATA: a folder for each species, split files, or a table.

    --mode fast --init starter needs no TensorFlow and takes seconds: the network of the starter
    model stays as it is, and learns new names. The model is then in the models folder.
    """
    from plant_classification.models import IMAGENET
    from plant_classification.training import run
    from plant_classification.training.start import FAST

    given: list[tuple[str, Mapping[str, Any]]] = [
        *([(str(config), read_options(config))] if config else []),
        ("--set", dict(map(_assignment, assignments))),
        *((f"--{name}", {name: value}) for name, value in short.items() if value is not None),
        ("DATA", {"base_directory": str(data)}),
    ]
    chosen, warnings = load_training_config(*given)
    for warning in warnings:
        _note(warning)
    if resume and chosen.name is None:
        raise ArgumentError("--resume goes on with a training by its name: give --name too.")
    settings = load_settings(models_dir=models_dir)
    chosen = run.named(chosen)
    if chosen.mode != FAST or (chosen.init == IMAGENET and chosen.extend is None):
        load_tensorflow()
    if dry_run:
        _tell(run.outline(chosen, data, settings), chosen)
        return
    model = _train(chosen, data, settings, resume=resume)
    if model is not None:
        _report(model, models_dir)


def _assignment(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise ArgumentError(f"--set takes OPTION=VALUE; {text!r} came.", field=name)
    return name.strip(), from_text(value)


def _train(
    config: TrainingConfig, data: Path, settings: Settings, *, resume: bool
) -> ModelFolder | None:
    from plant_classification.cli.train_progress import showing
    from plant_classification.training import checkpoints, run
    from plant_classification.training.observers import observing

    name = str(config.name)
    try:
        with (
            _ended_by_sigterm_as_by_ctrl_c(),
            showing() as bar,
            observing(config, settings, _note, bar) as observe,
        ):
            return run.train(config, data, settings, observe, resume=resume)
    except (KeyboardInterrupt, TrainingError) as error:
        reason = "The training was stopped." if isinstance(error, KeyboardInterrupt) else str(error)
        is_lost = isinstance(error, DivergedError)
        if not is_lost and checkpoints.find(settings.trainings_dir / name):
            reason += f" To go on: the same command with --name {shlex.quote(name)} --resume"
        raise TrainingError(reason) from None


@contextlib.contextmanager
def _ended_by_sigterm_as_by_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(outline: Outline, config: TrainingConfig) -> None:
    """What a training would do."""
    dataset, start = outline.dataset, outline.start
    photos = ", ".join(f"{len(records):,} for {split}" for split, records in dataset.splits.items())
    click.echo(f"Data set: {dataset.folder} ({dataset.kind})")
    click.echo(f"Labels: {len(dataset.labels):,}; photos: {photos}")
    for note in dataset.notes:
        click.echo(f"Note: {note}")
    side = start.preprocessing.size
    click.echo(
        f"Network: {start.architecture} at {side} px, from {start.words}, mode {config.mode}"
    )
    click.echo(f"It would write the model {config.name!r}: {outline.target}")
    click.echo(f"Until then it would keep its work in {outline.work}")


def _report(model: ModelFolder, models_dir: Path | None) -> None:
    """What came of it, and what to do with it."""
    from plant_classification.models.folder import REPORT

    labels = f"{model.label_count:,} label{'' if model.label_count == 1 else 's'}"
    click.echo(f"{model.name}: {model.architecture}, {labels}, in {model.path}")
    for split, figures in model.metrics.items():
        click.echo(
            f"Of {figures['photos']:,} {SPLITS.get(split, split)} photos the right name came first "
            f"for {figures['top_1']:.1%}, among the first five for {figures['top_5']:.1%}."
        )
    rule = model.trust.safe
    most = rule.confidences[-1] if rule and rule.confidences else 0
    if most < Question.confidence:
        click.echo(
            f"It can promise that {most:.0%} of its safe answers are right: hold back more photos "
            "for more (val_fraction)."
            if most
            else "Its safe answers promise nothing: too few photos were held back."
        )
    if model.trust.rejection is None:
        click.echo("It rejects no photo: it cannot tell what is none of its plants.")
    for note in model.training.get("notes", ()):
        click.echo(note)
    click.echo(f"Report: {model.path / REPORT}")
    words = ["plant-classification", "identify", "--model", model.name]
    if models_dir is not None:
        words += ["--models-dir", str(models_dir)]
    click.echo(f"Try it: {shlex.join(words)} PHOTO")


def _note(sentence: str) -> None:
    click.echo(f"Note: {sentence}", err=True)


def _values(option: Option) -> str:
    """Which values an option takes, as a comment."""
    if option.choices:
        return f"  # {', '.join(option.choices)}"
    return f"  # {option.range[0]:.10g} to {option.range[1]:.10g}" if option.range else ""
