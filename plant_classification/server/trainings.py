"""DEEPaaS's list of trainings, kept in files, so that it is there again after a restart."""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from plant_classification.errors import PlantClassificationError
from plant_classification.models.files import replacing

LOG = logging.getLogger(__name__)
FOLDER = ".asked"
STOPPED = (
    "The server was stopped while it trained. What is done is kept: go on with "
    "plant-classification train --resume."
)


class Remembered(dict[str, dict[str, Any]]):
    """What DEEPaaS keeps of each training (``date``, ``args``, ``task``), and a file for each.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        for file in sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime):
            if training := _read(file):
                super().__setitem__(file.stem, training)

    def __setitem__(self, name: str, training: dict[str, Any]) -> None:
        super().__setitem__(name, training)
        self._write(name, training, {})
        training["task"].add_done_callback(partial(self._write_end, name, training))

    def pop(self, name: str, *default: Any) -> Any:
        """Forget a training: what DEEPaaS does when it is cancelled."""
        self._file(name).unlink(missing_ok=True)
        return super().pop(name, *default)

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


def _read(file: Path) -> dict[str, Any] | None:
    try:
        kept = json.loads(file.read_text("utf-8"))
        return {"date": kept["date"], "args": kept["args"], "task": _ended(kept)}
    except (OSError, ValueError, KeyError, TypeError) as error:
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
