"""A run: every observation answered once, whatever happens meanwhile, and one table of all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plant_classification.bulk.cluster import answered_on_cluster, check_cluster
from plant_classification.bulk.darwin_core import TERMS, as_darwin_core
from plant_classification.bulk.journal import (
    Journal,
    count_errors,
    journal_of,
    opened_journal,
)
from plant_classification.bulk.observations import (
    STANDARD_INPUT,
    Grouping,
    check_places,
    find,
    is_picture,
)
from plant_classification.bulk.parts import Part, by_content, by_time, in_parts
from plant_classification.bulk.rows import COLUMNS
from plant_classification.bulk.table_files import check_format, write_table
from plant_classification.bulk.work import answered
from plant_classification.bulk.worker import Errand, digests_of
from plant_classification.errors import ArgumentError
from plant_classification.files import printable
from plant_classification.inference.engine import precision_of
from plant_classification.models import ModelFolder
from plant_classification.question import Question
from plant_classification.settings import Settings

PROGRAM = "plant-classification"
SHOWN = 12
"""Hexadecimal digits of a SHA-256 that tell two files apart, and that a person can read."""

LIMITS = ("max_photos", "max_photo_bytes", "max_pixels", "min_side")
"""Settings on which it depends what of a photo is an answer, and what an error."""


@dataclasses.dataclass(frozen=True)
class Done:
    """How far a run is, or was.

    Attributes:
        rows: Observations that have their row.
        kept: How many of these an earlier run had answered.
        errors: Rows with an error.
    """

    rows: int = 0
    kept: int = 0
    errors: int = 0


@dataclasses.dataclass(frozen=True)
class Job:
    """What a run is to do.

    Attributes:
        places: Where the photos are, as :func:`observations.find` takes it.
        grouping: How they become observations.
        question: What is asked of each observation.
        out: The table to write.
        darwin_core: Whether its columns are Darwin Core's terms.
        strict: Whether a file is known by its content; else by its size and time.
        cluster: The Ray cluster that does it, ``"auto"`` or an address; None: this machine.
    """

    places: tuple[str, ...]
    grouping: Grouping
    question: Question
    out: Path
    darwin_core: bool = False
    strict: bool = False
    cluster: str | None = None


def run(
    job: Job,
    model: ModelFolder,
    settings: Settings,
    lines: Iterable[str] = (),
    tell: Callable[[Done], None] = lambda _done: None,
) -> Done:
    """Answer all observations, and write a table with a row for each, in their order.

    What an earlier run of the same job has answered is kept, unless a photo has changed.

    Args:
        job: What is to be done.
        model: What answers.
        settings: For its precision and processors, and for the limits of photos.
        lines: Paths and addresses, where they are one of the places.
        tell: Is told how far it is.

    Raises:
        ArgumentError: Something asked that cannot be, or otherwise than the table was begun.
        DatasetError: A folder, table or archive that cannot be read.
        ModelFolderError: The model is damaged.
        UnavailableError: The cluster does nothing, or processes die whatever they are asked for.
        OSError: The journal or the table cannot be written.
    """
    check_format(job.out)
    is_begun = not journal_of(job.out).is_empty()
    check_places([one for one in job.places if not (is_begun and is_picture(one))])
    if job.cluster:
        check_cluster(job.cluster)
    precision = precision_of(model, settings.precision)
    expected = digests_of(job.question, settings.models_dir)
    errand = Errand(model, precision, job.question, settings, expected)
    with opened_journal(job.out, fingerprint_of(job, errand)) as journal:
        _check_photos(job, journal)
        digests: list[str] = []
        done = Done()

        def missing() -> Iterator[Part]:
            nonlocal done
            found = find(job.places, job.grouping, lines)
            for part in in_parts(found, by_content if job.strict else by_time):
                digests.append(part.digest)
                rows = journal.kept(part.digest, part.count)
                kept = [row for row in rows if row]
                if kept:
                    count, errors = len(kept), count_errors(kept)
                    done = Done(done.rows + count, done.kept + count, done.errors + errors)
                    tell(done)
                if len(kept) < part.count:
                    yield part.left([bool(row) for row in rows])

        for rows, errors in _each(missing(), job, errand, journal):
            done = Done(done.rows + rows, done.kept, done.errors + errors)
            tell(done)
        write(job, journal, digests)
        return done


def _check_photos(job: Job, journal: Journal) -> None:
    """See that a table that is there has rows of these photos, before it is replaced.

    Raises:
        ArgumentError: It has none.
    """
    if not job.out.exists() or journal.is_empty() or STANDARD_INPUT in job.places:
        return
    known = journal.some_names()
    if not any(printable(one.name) in known for one in find(job.places, job.grouping)):
        raise ArgumentError(
            f"{job.out} holds the rows of other photos: give another file.", field="out"
        )


def _each(
    parts: Iterable[Part], job: Job, errand: Errand, journal: Journal
) -> Iterator[tuple[int, int]]:
    """Do parts, here or elsewhere; of each the number of rows, and of errors among them."""
    if job.cluster:
        yield from answered_on_cluster(parts, errand, journal)
        return
    for part, rows, is_final in answered(parts, errand):
        journal.write(part, rows, is_final=is_final)
        yield len(rows), count_errors(rows)


def write(job: Job, journal: Journal, digests: Iterable[str]) -> None:
    """Write the table of all parts."""
    rows = (row for digest in digests for row in journal.rows(digest))
    if job.darwin_core:
        program = f"{PROGRAM} {version(PROGRAM)}"
        write_table(job.out, (as_darwin_core(row, program) for row in rows), TERMS)
    else:
        write_table(job.out, rows)


def fingerprint_of(job: Job, errand: Errand) -> Mapping[str, Any]:
    """All that changes the rows, beside what is in the photos, as JSON takes it."""
    asked = dataclasses.asdict(job.question)
    settings = errand.settings
    listed, prior = errand.expected
    name = asked["species_list"]
    return {
        "program": version(PROGRAM),
        "columns": " ".join(COLUMNS),
        **dataclasses.asdict(job.grouping),
        "strict": job.strict,
        "model": f"{errand.model.name} {errand.model.version}",
        "precision": errand.precision,
        **asked,
        "species_list": name and f"{Path(name).name} {listed and listed[:SHOWN]}",
        "prior": prior and prior[:SHOWN],
        **{name: getattr(settings, name) for name in LIMITS},
    }
