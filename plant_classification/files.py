"""Files on disk: read within bounds, locked, and written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import glob
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"
NOT_UTF8 = "not UTF-8; convert the file."
RANDOM = "[0-9a-f]" * 8
"""What the name of a file has while it is written, as a pattern."""


def read_plain_file(path: Path, most_bytes: int) -> bytes:
    """The content of a plain file.

    Raises:
        OSError: It cannot be read, has more bytes, or is of another kind; a pipe is not waited for.
    """
    with open_plain(path, most_bytes) as file:
        return file.read(most_bytes)


@contextlib.contextmanager
def open_plain(path: Path, most_bytes: int) -> Iterator[BinaryIO]:
    """Open a plain file to read; the errors are those of :func:`read_plain_file`."""
    with open(path, "rb", opener=at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > most_bytes:
            raise OSError(errno.EINVAL, f"not a plain file of at most {most_bytes:,} bytes")
        yield file


def at_once(path: str, flags: int) -> int:
    """An opener for ``open`` that waits for nobody who writes into a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def decoded(content: bytes, source: str) -> str:
    """Text of UTF-8, with or without a byte order mark, which is no part of it.

    Args:
        content: That of a file.
        source: What the file is called in the message.

    Raises:
        ValueError: It is something else, with the line.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1  # which has no mark
        raise ValueError(f"{source}, line {line}: {NOT_UTF8}") from None


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def remembered_sha256(path: Path) -> str:
    """The same, computed once for as long as the file keeps its inode, time and size."""
    return _sha256_of(path, *identity(path))


def identity(path: Path) -> tuple[int, ...]:
    """What changes when a file is replaced or written; nothing if it is not there.

    Copying tools set the time of modification back, but none can do so with that of change.
    """
    try:
        status = path.stat()
    except OSError:
        return ()
    return (
        status.st_dev,
        status.st_ino,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_size,
    )


@functools.lru_cache(maxsize=256)
def _sha256_of(path: Path, *_identity: int) -> str:
    return sha256(path)


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a folder, made if it is not there, for this process alone; its end gives it free.

    Raises:
        BlockingIOError: Another process holds it, and ``wait`` is false.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder; one that is not there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder that is there whole and durable, or not at all.

    Args:
        target: The folder to make; it must not be there yet.

    Yields:
        The folder to write into, which becomes the target at the end of the block.
    """
    partial = target.with_name(target.name + PARTIAL)
    remove(partial)
    try:
        partial.mkdir(mode=0o755, parents=True)
        yield partial
        for path in [*partial.rglob("*"), partial]:
            fsync(path)
        partial.rename(target)
        fsync(target.parent)
    finally:
        remove(partial)


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; one that is there is replaced.

    What a link points to is written, and what is no file, such as a pipe, is written into.

    Raises:
        OSError: It cannot be written.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    with replacing(target) as partial:
        partial.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file that is there whole and durable, or not at all; one that is there is replaced.

    Args:
        path: The file; what a link points to is written.

    Yields:
        The file to write, which becomes it at the end of the block.
    """
    target = path.resolve()
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with contextlib.suppress(OSError):  # not every file system has locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # which tells it from one that was left
        yield partial
        fsync(partial)
        partial.replace(target)
        fsync(target.parent)
    finally:
        os.close(descriptor)
        partial.unlink(missing_ok=True)


def remove_partials(path: Path) -> None:
    """Remove what was left of :func:`replacing` by a process that was killed.

    What cannot be told from what another process is writing stays.
    """
    for left in path.parent.glob(f"{glob.escape(path.name)}.{RANDOM}{PARTIAL}"):
        with contextlib.suppress(OSError), left.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def fsync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_constant(constant: str) -> None:
    """What ``json.loads`` is to do with NaN and infinity.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"{constant} is not a number")


def printable(text: str) -> str:
    """A text in which bytes that are no UTF-8, as names may have, are written in hexadecimal."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")
