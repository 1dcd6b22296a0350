"""What has come of a download so far, beside the file that it will be."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from plant_classification.errors import DownloadError
from plant_classification.files import PARTIAL

ORIGIN = ".json"
MOST_ORIGIN_BYTES = 10_000


@dataclasses.dataclass(frozen=True)
class Origin:
    """Of what a partial file is the beginning.

    Attributes:
        address: SHA-256 of the address, which itself may hold a password.
        validator: What the server calls this version of the file, in the words of ``If-Range``.
        total: Bytes of the whole file, if known.
    """

    address: str
    validator: str | None
    total: int | None


@contextlib.contextmanager
def held_partial(target: Path, address: str) -> Iterator[PartialFile]:
    """The partial file of a target, held by one process at a time; it stays if it is of use.

    Args:
        target: The file that it will be.
        address: SHA-256 of the address; what is of another one is dropped.

    Raises:
        DownloadError: Another process holds it, or it cannot be written.
    """
    path = target.with_name(target.name + PARTIAL)
    with _told(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise DownloadError(f"{target} is a folder; name a file.")
        descriptor = _locked(path)
    try:
        partial = PartialFile(path, descriptor)
        if partial.origin is None or partial.origin.address != address:
            partial.begin(None)
        try:
            yield partial
        except BaseException:
            if not partial.is_of_use:
                partial.begin(None)
                path.unlink(missing_ok=True)
            raise
    finally:
        os.close(descriptor)


class PartialFile:
    """The beginning of a file, and what it is the beginning of.

    The origin is written before the first byte and goes after the last one, so that no bytes are
    ever taken for those of another file.

    Attributes:
        origin: Of what it is the beginning.
        size: Bytes that are there.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._origin_path = path.with_name(path.name + ORIGIN)
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self.origin = _read_origin(self._origin_path)

    @property
    def is_of_use(self) -> bool:
        """Whether another call can go on from here."""
        if not self.size or self.origin is None:
            return False
        return self.origin.validator is not None or self.origin.total == self.size

    @property
    def prospect(self) -> str:
        """A sentence on what another call finds."""
        if not self.is_of_use:
            return "Nothing is kept; try again later."
        return f"{self.size:,} bytes are kept in {self._path}; the same command goes on from there."

    def begin(self, origin: Origin | None) -> None:
        """Drop all bytes; the next ones are of this origin."""
        with _told(self._path):
            os.ftruncate(self._descriptor, 0)
            self.size = 0
            self.origin = origin
            if origin:
                self._origin_path.write_text(json.dumps(dataclasses.asdict(origin)), "utf-8")
            else:
                self._origin_path.unlink(missing_ok=True)

    def append(self, block: bytes) -> None:
        """Write on."""
        rest = memoryview(block)
        try:
            while rest:
                written = os.write(self._descriptor, rest)
                self.size += written
                rest = rest[written:]
        except OSError as error:
            raise DownloadError(
                f"{self._path} cannot be written: {error.strerror}. {self.prospect}"
            ) from None

    def sha256(self) -> str:
        """SHA-256 of the bytes on the disk, in hexadecimal."""
        digest = hashlib.sha256()
        with _told(self._path):
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            while block := os.read(self._descriptor, 1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def become(self, target: Path) -> None:
        """Be the target from now on, also after a loss of power."""
        with _told(target):
            os.fsync(self._descriptor)
            self._path.replace(target)
            self._origin_path.unlink(missing_ok=True)
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _locked(path: Path) -> int:
    """Open the file for this process alone."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who held it until now may have renamed or removed it since it was opened here.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise DownloadError(
                f"{path} is being written by another process; wait until it has ended."
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _read_origin(path: Path) -> Origin | None:
    try:
        with path.open("rb") as file:
            origin = Origin(**json.loads(file.read(MOST_ORIGIN_BYTES)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    is_sound = (
        isinstance(origin.validator, (str, type(None)))
        and type(origin.total) in (int, type(None))
        and isinstance(origin.address, str)
    )
    return origin if is_sound else None


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Failures of the disk become a sentence."""
    try:
        yield
    except OSError as error:
        raise DownloadError(f"{path} cannot be written: {error.strerror}.") from None
