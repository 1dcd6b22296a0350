"""What a run has done, beside the table that it writes, so that it can be gone on with."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from plant_classification.bulk.parts import Part
from plant_classification.bulk.rows import Row
from plant_classification.errors import ArgumentError
from plant_classification.files import PARTIAL, locked, printable, remove_partials, write_file

SUFFIX = ".parts"
RUN = "run.json"
DONE, AGAIN = ".jsonl", ".again.jsonl"
LOOKED_AT = 64


@dataclasses.dataclass(frozen=True)
class Journal:
    """The parts that are done, each a file of JSON lines.

    In a part with an error that may pass, such as a server that did not answer, all errors are good
    for the table of this run, and tried again by the next.

    Attributes:
        folder: Where they are.
    """

    folder: Path

    def kept(self, digest: str, count: int) -> Sequence[Row | None]:
        """The rows of a part that an earlier run has done; None for each that is to be done.

        Args:
            digest: The part.
            count: How many rows it has.
        """
        if rows := self._readable(digest, DONE, count):
            return rows
        rows = self._readable(digest, AGAIN, count)
        return [None if row["error"] else row for row in rows] or [None] * count

    def write(self, part: Part, rows: Sequence[Row], *, is_final: bool) -> None:
        """Keep rows of a part, all at once or none.

        Args:
            part: With the observations that were done; the rows of its others are there.
            rows: Of these observations.
            is_final: Whether no later run needs to try their errors again.

        Raises:
            OSError: They cannot be written, or those that were there have gone.
        """
        digest, count = part.digest, part.count
        whole: list[Row | None] = [*self._readable(digest, DONE, count)]
        whole = whole or [*self._readable(digest, AGAIN, count)] or [None] * count
        for place, row in zip(part.places, rows, strict=True):
            whole[place] = row
        if None in whole:
            raise OSError(errno.ESTALE, "a file in it was changed by another program")
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in whole)
        file, other = (self._file(digest, end) for end in (DONE, AGAIN)[:: 1 if is_final else -1])
        file.parent.mkdir(exist_ok=True)
        write_file(file, "".join(lines).encode())
        other.unlink(missing_ok=True)

    def rows(self, digest: str) -> Iterator[Row]:
        """The rows of a part that this run has done or kept."""
        done = self._file(digest, DONE)
        yield from _rows(done if done.exists() else self._file(digest, AGAIN))

    def is_empty(self) -> bool:
        """Whether no part is there."""
        return not any(self.folder.glob(f"*/*{DONE}"))

    def some_names(self) -> set[str]:
        """Observations of the first parts that lie there."""
        found: set[str] = set()
        for file in itertools.islice(self.folder.glob(f"*/*{DONE}"), LOOKED_AT):
            with contextlib.suppress(OSError, ValueError):
                found.update(row["observation"] for row in _rows(file))
        return found

    def _readable(self, digest: str, end: str, count: int) -> list[Row]:
        """So many rows; none where the file has others, or is damaged."""
        try:
            rows = list(_rows(self._file(digest, end)))
        except (OSError, ValueError):
            return []
        return rows if len(rows) == count else []

    def _file(self, digest: str, end: str) -> Path:
        return self.folder / digest[:2] / f"{digest}{end}"


def count_errors(rows: Sequence[Row]) -> int:
    """How many rows have an error."""
    return sum(row["error"] is not None for row in rows)


def journal_of(out: Path) -> Journal:
    """That of a table, whether it is there or not."""
    return Journal(out.with_name(out.name + SUFFIX))


@contextlib.contextmanager
def opened_journal(out: Path, fingerprint: Mapping[str, Any]) -> Iterator[Journal]:
    """Begin a journal, or go on with it; no other process can meanwhile.

    Args:
        out: The table.
        fingerprint: All that changes the rows, beside the photos.

    Raises:
        ArgumentError: Another process is at it; the run was begun otherwise, which is told; it is
            damaged; or the table is there and no journal.
        OSError: The journal cannot be written.
    """
    journal = journal_of(out)
    folder, file = journal.folder, journal.folder / RUN
    if out.exists() and not file.exists():
        raise ArgumentError(
            f"{out} is there already, and {folder.name}, from which the run could go on, is not: "
            "give another file, or move it away.",
            field="out",
        )
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(folder, wait=False))
        except BlockingIOError:
            raise ArgumentError(
                f"Another process is writing {out}: wait for it, or give another file.", field="out"
            ) from None
        for left in folder.rglob(f"*{PARTIAL}"):
            left.unlink()  # of a run that was killed
        remove_partials(out)
        if journal.is_empty():
            content = json.dumps(fingerprint, indent=1, ensure_ascii=False)
            write_file(file, printable(content).encode())
        differing = _differing(file, fingerprint)
        if differing:
            raise ArgumentError(
                f"{out} was begun otherwise, and its rows would not fit together: "
                f"{'; '.join(differing)}. Ask as before, give another file, or remove {folder}.",
                field="out",
            )
        yield journal


def _differing(file: Path, fingerprint: Mapping[str, Any]) -> list[str]:
    try:
        found = json.loads(file.read_text("utf-8"))
        asked = json.loads(printable(json.dumps(fingerprint, ensure_ascii=False)))
        return [
            f"{name} was {found.get(name)!r:.100}, and is {asked.get(name)!r:.100}"
            for name in {**found, **asked}
            if found.get(name) != asked.get(name)
        ]
    except (ValueError, TypeError, AttributeError):
        raise ArgumentError(
            f"{file} is damaged: remove {file.parent}, and begin anew.", field="out"
        ) from None


def _rows(file: Path) -> Iterator[Row]:
    with file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
