"""What a run has done, beside the table that it writes, so that it can be gone on with."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from plant_classification.bulk.rows import Row
from plant_classification.errors import ArgumentError
from plant_classification.models.files import PARTIAL, locked, write_file

SUFFIX = ".parts"
RUN = "run.json"


@dataclasses.dataclass(frozen=True)
class Journal:
    """The parts that are done, each a file of JSON lines.

    Attributes:
        folder: Where they are.
        begun: The day of the first run, ``YYYY-MM-DD``.
    """

    folder: Path
    begun: str

    def has(self, digest: str) -> bool:
        """Whether a part is done."""
        return self._file(digest).exists()

    def write(self, digest: str, rows: Sequence[Row]) -> None:
        """Keep a part, whole or not at all.

        Raises:
            OSError: It cannot be written.
        """
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
        self._file(digest).parent.mkdir(exist_ok=True)
        write_file(self._file(digest), "".join(lines).encode("utf-8", "replace"))

    def rows(self, digest: str) -> Iterator[Row]:
        """The rows of a part that is done."""
        with self._file(digest).open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)

    def _file(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.jsonl"


@contextlib.contextmanager
def opened_journal(out: Path, fingerprint: Mapping[str, Any]) -> Iterator[Journal]:
    """Begin a journal, or go on with it; no other process can meanwhile.

    Args:
        out: The table.
        fingerprint: All that changes the rows, beside the photos.

    Raises:
        ArgumentError: Another process is at it; the run was begun otherwise, which is told; or the
            table is there and no journal.
        OSError: The journal cannot be written.
    """
    folder = out.with_name(out.name + SUFFIX)
    file = folder / RUN
    if out.exists() and not file.exists():
        raise ArgumentError(
            f"{out} is there already, and {folder.name} is not, by which it could be gone on with: "
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
        for left in (*folder.glob(f"*/*{PARTIAL}"), *out.parent.glob(f"{out.name}.*{PARTIAL}")):
            left.unlink()  # of a run that was killed
        if not file.exists():
            begun = datetime.now(timezone.utc).date().isoformat()
            content = {"begun": begun, **fingerprint}
            write_file(file, json.dumps(content, indent=1, ensure_ascii=False).encode())
        found = json.loads(file.read_text("utf-8"))
        begun = found.pop("begun")
        differing = [
            f"{name} was {found.get(name)!r:.100}, and is {fingerprint.get(name)!r:.100}"
            for name in {**found, **fingerprint}
            if found.get(name) != fingerprint.get(name)
        ]
        if differing:
            raise ArgumentError(
                f"{out} was begun otherwise, and its rows would not fit together: "
                f"{'; '.join(differing)}. Ask as before, give another file, or remove {folder}.",
                field="out",
            )
        yield Journal(folder, begun)
