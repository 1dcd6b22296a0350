"""Observations in parts: each is done whole, and known again by what it is made of."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from plant_classification.bulk.observations import Observation
from plant_classification.files import sha256
from plant_classification.photos.sources import is_address

MEAN, MOST = 512, 4096
"""Observations in a part: on average, and at most."""

DIGEST_BYTES = 16

Stamp = Callable[[str], str]
"""Of a photo's path or address what changes with its content."""


@dataclasses.dataclass(frozen=True)
class Part:
    """Some observations that follow each other.

    Attributes:
        digest: Of all names, photos and stamps of the part, in hexadecimal.
        observations: At least one: all of the part, or those that are left to be done.
        places: Where each stands in the whole part, from 0 up.
        count: How many the whole part has.
    """

    digest: str
    observations: tuple[Observation, ...]
    places: tuple[int, ...]
    count: int

    def left(self, is_done: Sequence[bool]) -> Part:
        """The same part with those of a whole one that are not done."""
        places = tuple(place for place, done in enumerate(is_done) if not done)
        some = tuple(self.observations[place] for place in places)
        return dataclasses.replace(self, observations=some, places=places)


def by_time(photo: str) -> str:
    """Size and time of a file; nothing of an address, or of what is not there."""
    if is_address(photo):
        return ""
    try:
        status = os.stat(photo)  # noqa: PTH116 - a third of the time of a Path, a million times
    except (OSError, ValueError):
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def by_content(photo: str) -> str:
    """The SHA-256 of a file; nothing of an address, or of what cannot be read."""
    if is_address(photo) or not os.path.isfile(photo):  # noqa: PTH113 - as above
        return ""
    try:
        return sha256(Path(photo))
    except OSError:
        return ""


def in_parts(observations: Iterable[Observation], stamp: Stamp) -> Iterator[Part]:
    """Cut observations into parts, where their names say so.

    A photo that comes or goes so changes the part that it is in, and no other (content-defined
    chunking, Muthitacharoen et al. 2001).

    Args:
        observations: In their order.
        stamp: By what a file is known.
    """
    members: list[Observation] = []
    whole = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for observation in observations:
        members.append(observation)
        stamps = [stamp(photo) for photo in observation.photos]
        text = repr((dataclasses.astuple(observation), stamps))
        whole.update(text.encode("utf-8", "surrogateescape"))
        if _ends_here(observation.name) or len(members) == MOST:
            yield _whole(whole.hexdigest(), members)
            members, whole = [], hashlib.blake2b(digest_size=DIGEST_BYTES)
    if members:
        yield _whole(whole.hexdigest(), members)


def _whole(digest: str, members: Sequence[Observation]) -> Part:
    return Part(digest, tuple(members), tuple(range(len(members))), len(members))


def _ends_here(name: str) -> bool:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=4).digest()
    return int.from_bytes(digest, "big") % MEAN == 0
