"""DEEPaaS's list of trainings, kept in files, so that it is there again after a restart."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from plant_classification.errors import PlantClassificationError
from plant_classification.files import read_plain_file, replacing

LOG = logging.getLogger(__name__)
FOLDER = ".asked"
DATE = "%Y-%m-%d %H:%M:%S.%f"
MOST_BYTES = 2**20
MOST_ENDED = 100
"""Of the trainings that have ended so many are listed."""

STOPPED = (
    "The server was stopped before this training ended; start it again. Where the server's machine "
    "went down with it, checkpoints may be left, and whoever runs it can go on with them: "
    "plant-classification train DATA --name NAME --resume, and the same options."
)


class Remembered(dict[str, dict[str, Any]]):
    """What DEEPaaS keeps of each training (``date``, ``args``, ``task``), and a file for each.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        found = {file.stem: _read(file) for file in folder.glob("*.json")}
        known = {name: training for name, training in found.items() if training}
        self.update(sorted(known.items(), key=lambda item: str(item[1]["date"])))

    def __setitem__(self, name: str, training: dict[str, Any]) -> None:
        super().__setitem__(name, training)
        for ended in [name for name, one in self.items() if one["task"].done()][:-MOST_ENDED]:
            self.pop(ended)
        self._write(name, training, {})
        training["task"].add_done_callback(partial(self._write_end, name, training))

    def pop(self, name: str, *default: Any) -> Any:
        """End a training and forget it, for the route of DEEPaaS that does so."""
        if name not in self:
            return super().pop(name, *default)
        training = super().pop(name)
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError as error:
            LOG.warning("the training %s will be listed again after a restart: %s", name, error)
        return {**training, "task": _Left(training["task"])}

    def _write_end(
        self, name: str, training: dict[str, Any], task: asyncio.Future[dict[str, Any]]
    ) -> None:
        if name in self and not task.cancelled():
            error = task.exception()
            end = {"message": str(error)} if error else {"result": task.result()}
            self._write(name, training, end)

    def _write(self, name: str, training: dict[str, Any], end: dict[str, Any]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            kept = {"date": training["date"], "args": training["args"], **end}
            with replacing(self._file(name)) as partial_file:
                partial_file.write_text(json.dumps(kept, default=str) + "\n", "utf-8")
        except OSError as error:
            LOG.warning("the training %s will be forgotten at a restart: %s", name, error)

    def _file(self, name: str) -> Path:
        return self._folder / f"{Path(name).name}.json"


def remember(app: web.Application, trainings_dir: Path) -> None:
    """Let DEEPaaS's routes of trainings use such a list."""
    owners = {getattr(route.handler, "__self__", None) for route in app.router.routes()}
    for owner in owners:
        if hasattr(owner, "_trainings"):
            setattr(owner, "_trainings", Remembered(trainings_dir / FOLDER))  # noqa: B010


class _Left:
    """A training that was ended by who asked for it; DEEPaaS waits for it, which must not fail."""

    def __init__(self, task: asyncio.Future[Any]) -> None:
        self._task = task
        self._was_running = not task.done()
        task.cancel()

    def __await__(self) -> Generator[None, None, None]:
        yield from ()

    def cancelled(self) -> bool:
        return self._was_running or self._task.cancelled()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        kept = json.loads(read_plain_file(file, MOST_BYTES))
        for date in (kept["date"], *([kept["result"]["finish_date"]] if "result" in kept else [])):
            dt.datetime.strptime(date, DATE)  # noqa: DTZ007 - as DEEPaaS does with them
        if not isinstance(kept["args"], dict):
            raise TypeError("args must be an object")
        return {"date": kept["date"], "args": kept["args"], "task": _ended(kept)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        LOG.warning("%s is passed over: %s", file, error)
        return None


def _ended(kept: dict[str, Any]) -> asyncio.Future[dict[str, Any]]:
    """A task that has come to its end as the kept one did."""
    task: asyncio.Future[dict[str, Any]] = asyncio.get_event_loop().create_future()
    if "result" in kept:
        task.set_result(kept["result"])
    else:
        task.set_exception(PlantClassificationError(kept.get("message", STOPPED)))
        task.exception()  # else asyncio would report it as never looked at
    return task
