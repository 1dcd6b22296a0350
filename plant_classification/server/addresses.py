"""Photos by address are fetched before a process is taken: a slow host holds up who named it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from plant_classification.errors import PlantClassificationError, UnavailableError
from plant_classification.photos import Fetched, Source, fetch_first
from plant_classification.photos.sources import check_total, is_elsewhere
from plant_classification.processes import TOO_MANY
from plant_classification.question import check_photos
from plant_classification.server.uploads import MOST_HELD
from plant_classification.settings import Settings

AT_ONCE = 40
"""Photos that are fetched at once, at most."""


class Addresses:
    """Fetches photos for the requests of one event loop, as long as there is room for them.

    What is on its way counts with the most that it may have, what has come with what it has.

    Args:
        settings: For the limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._most_of_one = max(settings.max_photo_bytes, MOST_HELD // AT_ONCE)
        self._held = 0

    @contextlib.asynccontextmanager
    async def fetched(self, photos: Sequence[Source]) -> AsyncIterator[list[Source]]:
        """The photos, those at an address fetched; they are held until the block ends.

        Raises:
            ArgumentError: More photos than a request may have.
            TooManyBytesError: All together have more bytes than the settings allow.
            UnavailableError: Too much is being fetched.
            UrlError: See ``photos.read``; its field is the first photo at fault.
            PhotoError: The same.
        """
        most = self._most_of_one * sum(map(is_elsewhere, photos))
        if not most:
            yield list(photos)
            return
        check_photos(len(photos), self._settings.max_photos)
        if self._held and self._held + most > MOST_HELD:
            raise UnavailableError(TOO_MANY)
        self._held += most
        try:
            fetched = await self._fetch(photos)
        finally:
            self._held -= most
        size = sum(len(one.content) for one in fetched if isinstance(one, Fetched))
        check_total(size, self._settings)
        self._held += size
        try:
            yield fetched
        finally:
            self._held -= size

    async def _fetch(self, photos: Sequence[Source]) -> list[Source]:
        """Ends only when no thread works for it any more, though the client has gone."""
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
        finally:
            await asyncio.wait([fetching])
        return [_fetched(place, one) for place, one in enumerate(found)]

    def close(self) -> None:
        """Fetch nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _fetched(place: int, found: Source | BaseException) -> Source:
    if isinstance(found, PlantClassificationError):
        found.field = found.field or f"photos[{place}]"
    if isinstance(found, BaseException):
        raise found
    return found
