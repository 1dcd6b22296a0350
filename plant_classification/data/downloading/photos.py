"""The photos that a Darwin Core archive lists, asked for politely: they become a data set."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from plant_classification.data.darwin_core import DarwinCoreArchive, ListedPhoto, host_of
from plant_classification.data.downloading.folder import DownloadFolder, open_folder
from plant_classification.data.downloading.polite_queue import POLITE, Manners, PoliteQueue, Turn
from plant_classification.errors import PhotoError, SlowUrlError, UnreachableUrlError, UrlError
from plant_classification.fetching import Reply, ask
from plant_classification.fetching.downloads import TRIED_AGAIN
from plant_classification.settings import Settings

MOST_CONNECTIONS = 16
ASKED_TOO_OFTEN = {429, 503}


@dataclasses.dataclass(frozen=True)
class DownloadState:
    """How far a download is.

    Attributes:
        total: Photos that the archive lists.
        there: Photos in the folder, those of earlier calls included.
        failed: Photos that did not come, likewise.
        new_bytes: What this call has brought.
        given_up: Hosts that are not asked any more, and what is the matter with each.
    """

    total: int
    there: int
    failed: int
    new_bytes: int
    given_up: tuple[tuple[str, str], ...] = ()


Progress = Callable[[DownloadState], None]


def download_photos(
    archive: DarwinCoreArchive,
    path: Path,
    settings: Settings,
    *,
    progress: Progress = lambda _state: None,
    manners: Manners = POLITE,
) -> DownloadState:
    """Get the photos of an archive; those that are there are not asked for again.

    No photo that cannot be had stops the others, and each has an end: of bytes, of seconds, of
    tries. What becomes of it stands in the tables of the folder
    (:mod:`plant_classification.data.downloading.folder`).

    Args:
        archive: It lists them.
        path: The folder to make, or to go on with.
        settings: For the hosts that may be asked, and the limits of a photo.
        progress: Told after each photo.
        manners: How hosts are treated.

    Raises:
        DatasetError: A fault of the archive, or a folder that cannot be written.
    """
    settings = dataclasses.replace(settings, url_seconds=manners.seconds)
    with open_folder(path, settings) as folder, contextlib.closing(archive.photos()) as listed:
        queue = PoliteQueue(_missing(listed, folder.done), _host, manners)
        return _Download(folder, settings, queue, archive.photo_count, progress).run()


def _missing(listed: Iterator[ListedPhoto], done: set[str]) -> Iterator[ListedPhoto]:
    """Each address once, without those that are done."""
    for photo in listed:
        if photo.url not in done:
            done.add(photo.url)
            yield photo


def _host(photo: ListedPhoto) -> str:
    return host_of(photo.url)


class _Download:
    """Threads that take photos from the queue."""

    def __init__(
        self,
        folder: DownloadFolder,
        settings: Settings,
        queue: PoliteQueue[ListedPhoto],
        total: int,
        progress: Progress,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._queue = queue
        self._total = total
        self._progress = progress
        self._new_bytes = 0
        self._counting = threading.Lock()
        self._errors: list[BaseException] = []

    def run(self) -> DownloadState:
        # Daemons: whoever interrupts the download does not wait for answers that are still to come.
        threads = [
            threading.Thread(target=self._work, name="download", daemon=True)
            for _ in range(MOST_CONNECTIONS)
        ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self._queue.stop()
        if self._errors:
            raise self._errors[0]
        return self._state()

    def _work(self) -> None:
        try:
            while turn := self._queue.take():
                self._get(turn)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._errors.append(error)
            self._queue.stop()

    def _get(self, turn: Turn[ListedPhoto]) -> None:
        """Ask for a photo, and end the turn."""
        photo = turn.job
        try:
            reply = ask(photo.url, self._settings)
        except SlowUrlError:
            self._not_answered(turn, f"not there within {self._settings.url_seconds:g} seconds")
        except UnreachableUrlError:
            self._not_answered(turn, "cannot be reached")
        except UrlError:
            reason = "not asked: the address is not public, or not allowed by the settings"
            self._fail(turn, reason, try_again=True)
        except PhotoError:
            self._fail(turn, f"more than {self._settings.max_photo_bytes:,} bytes", try_again=False)
        else:
            self._judge(turn, reply)

    def _judge(self, turn: Turn[ListedPhoto], reply: Reply) -> None:
        words = f"answered with the status {reply.status}"
        if reply.status in ASKED_TOO_OFTEN:
            self._queue.busy(turn, reply.wait_seconds)
        elif reply.status in TRIED_AGAIN:
            self._not_answered(turn, words)
        elif reply.status != 200:
            self._fail(turn, words, try_again=False)
        else:
            try:
                self._folder.keep(turn.job, reply.content)
            except PhotoError as error:
                self._fail(turn, error.message, try_again=False)
            else:
                self._queue.answered(turn)
                self._tell(len(reply.content))

    def _not_answered(self, turn: Turn[ListedPhoto], reason: str) -> None:
        if not self._queue.failed(turn):
            self._folder.fail(turn.job, reason, try_again=True)
            self._tell()

    def _fail(self, turn: Turn[ListedPhoto], reason: str, *, try_again: bool) -> None:
        self._folder.fail(turn.job, reason, try_again=try_again)
        self._queue.answered(turn)
        self._tell()

    def _tell(self, more_bytes: int = 0) -> None:
        with self._counting:
            self._new_bytes += more_bytes
            self._progress(self._state())

    def _state(self) -> DownloadState:
        given_up = tuple(self._queue.given_up.items())
        folder = self._folder
        return DownloadState(self._total, folder.there, folder.failed, self._new_bytes, given_up)
