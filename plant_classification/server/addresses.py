"""Photos by address are fetched before a process is taken: a slow host holds up who named it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from plant_classification.errors import PlantClassificationError, UnavailableError
from plant_classification.photos import Fetched, Source, Url, fetch_first
from plant_classification.photos.sources import check_total
from plant_classification.processes import TOO_MANY
from plant_classification.question import check_photos
from plant_classification.settings import Settings

AT_ONCE = 20
"""Requests by address that are fetched or answered; their photos are in memory meanwhile."""


class Addresses:
    """Fetches photos for the requests of one event loop.

    Args:
        settings: For the limits.
        most_waiting: How many requests may wait to be fetched; further ones are refused.
    """

    def __init__(self, settings: Settings, most_waiting: int) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(AT_ONCE * settings.max_photos)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._most = AT_ONCE + most_waiting
        self._count = 0

    @contextlib.asynccontextmanager
    async def fetched(self, photos: Sequence[Source]) -> AsyncIterator[list[Source]]:
        """The photos, those at an address fetched; they keep their place until they are answered.

        Raises:
            ArgumentError: More photos than a request may have.
            TooManyBytesError: All together have more bytes than the settings allow.
            UnavailableError: Too many requests wait.
            UrlError: See ``photos.read``; its field is the first photo at fault.
            PhotoError: The same.
        """
        if not any(isinstance(photo, Url) for photo in photos):
            yield list(photos)
            return
        check_photos(len(photos), self._settings.max_photos)
        if self._count >= self._most:
            raise UnavailableError(TOO_MANY)
        self._count += 1
        try:
            async with self._room, self._fetching(photos) as fetched:
                yield fetched
        finally:
            self._count -= 1

    @contextlib.asynccontextmanager
    async def _fetching(self, photos: Sequence[Source]) -> AsyncIterator[list[Source]]:
        """What is fetched; left only when no thread works for it, though the client has gone."""
        loop = asyncio.get_running_loop()
        fetching = asyncio.gather(
            *(
                loop.run_in_executor(self._threads, fetch_first, photo, self._settings)
                for photo in photos
            ),
            return_exceptions=True,
        )
        try:
            found = await asyncio.shield(fetching)
            fetched = [_fetched(place, one) for place, one in enumerate(found)]
            contents = [one.content for one in fetched if isinstance(one, Fetched)]
            check_total(sum(map(len, contents)), self._settings)
            yield fetched
        finally:
            await asyncio.wait([fetching])

    def close(self) -> None:
        """Fetch nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _fetched(place: int, found: Source | BaseException) -> Source:
    if isinstance(found, PlantClassificationError):
        found.field = found.field or f"photos[{place}]"
    if isinstance(found, BaseException):
        raise found
    return found
