"""A run: every observation answered once, whatever happens meanwhile, and one table of all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plant_classification.bulk.cluster import answered_on_cluster, check_cluster, errand_of
from plant_classification.bulk.darwin_core import TERMS, Identifier, as_darwin_core
from plant_classification.bulk.journal import Journal, opened_journal
from plant_classification.bulk.observations import Grouping, check_places, find
from plant_classification.bulk.parts import Part, by_content, by_time, in_parts
from plant_classification.bulk.table_files import check_format, write_table
from plant_classification.bulk.work import answered, count_errors
from plant_classification.inference.classifier import Classifier
from plant_classification.inference.engine import processors
from plant_classification.inference.expectation import files_of
from plant_classification.models.files import sha256
from plant_classification.question import Question
from plant_classification.settings import Settings

PROGRAM = "plant-classification"
LIMITS = ("max_photos", "max_photo_bytes", "max_pixels", "min_side")
"""Settings on which it depends what of a photo is an answer, and what an error."""


@dataclasses.dataclass(frozen=True)
class Done:
    """How far a run is, or was.

    Attributes:
        rows: Observations that have their row.
        kept: How many of these an earlier run had answered.
        errors: Rows of this run with an error.
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
    classifier: Classifier,
    settings: Settings,
    lines: Iterable[str] = (),
    tell: Callable[[Done], None] = lambda _done: None,
) -> Done:
    """Answer all observations, and write a table with a row for each, in their order.

    What an earlier run of the same job has answered is kept, unless a photo has changed.

    Args:
        job: What is to be done.
        classifier: Compiled ``for_many``.
        settings: Those of the classifier.
        lines: Paths and addresses, where they are one of the places.
        tell: Is told how far it is.

    Raises:
        ArgumentError: Something asked that cannot be, or otherwise than the table was begun.
        DatasetError: A folder, table or archive that cannot be read.
        ModelFolderError: The model is damaged.
        UnavailableError: The cluster does nothing.
        OSError: The journal or the table cannot be written.
    """
    check_format(job.out)
    check_places(job.places)
    if job.cluster:
        check_cluster(job.cluster)
    with opened_journal(job.out, fingerprint_of(job, classifier, settings)) as journal:
        digests: list[str] = []
        done = Done()

        def missing() -> Iterator[Part]:
            nonlocal done
            found = find(job.places, job.grouping, lines)
            for part in in_parts(found, by_content if job.strict else by_time):
                digests.append(part.digest)
                if journal.has(part.digest):
                    count = len(part.observations)
                    done = dataclasses.replace(done, rows=done.rows + count, kept=done.kept + count)
                    tell(done)
                else:
                    yield part

        for rows, errors in _each(missing(), job, classifier, settings, journal):
            done = dataclasses.replace(done, rows=done.rows + rows, errors=done.errors + errors)
            tell(done)
        write(job, journal, digests)
        return done


def _each(
    parts: Iterable[Part], job: Job, classifier: Classifier, settings: Settings, journal: Journal
) -> Iterator[tuple[int, int]]:
    """Do parts, here or elsewhere; of each the number of rows, and of errors among them."""
    if job.cluster:
        errand = errand_of(classifier.folder, classifier.precision, job.question, settings, journal)
        yield from answered_on_cluster(parts, errand)
        return
    for part, rows in answered(parts, job.question, classifier, settings, processors() + 1):
        journal.write(part.digest, rows)
        yield len(rows), count_errors(rows)


def write(job: Job, journal: Journal, digests: Iterable[str]) -> None:
    """Write the table of all parts."""
    rows = (row for digest in digests for row in journal.rows(digest))
    if job.darwin_core:
        identifier = Identifier(f"{PROGRAM} {version(PROGRAM)}", journal.begun)
        write_table(job.out, (as_darwin_core(row, identifier) for row in rows), TERMS)
    else:
        write_table(job.out, rows)


def fingerprint_of(job: Job, classifier: Classifier, settings: Settings) -> Mapping[str, Any]:
    """All that changes the rows, beside what is in the photos, as JSON takes it."""
    asked = dataclasses.asdict(job.question)
    listed, prior = files_of(job.question, settings.models_dir)
    return {
        "program": version(PROGRAM),
        "photos": list(job.places),
        **dataclasses.asdict(job.grouping),
        "strict": job.strict,
        "model": f"{classifier.folder.name} {classifier.folder.version}",
        "precision": classifier.precision,
        **asked,
        "species_list": listed and f"{listed.name} {_digest(listed)}",
        "prior": _digest(prior),
        **{name: getattr(settings, name) for name in LIMITS},
    }


def _digest(file: Path) -> str | None:
    return sha256(file)[:12] if file.is_file() else None
