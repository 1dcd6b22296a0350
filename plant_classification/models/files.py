"""The plain files of a model folder: read within bounds, checked, made durable."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

PARTIAL = ".partial"


def read_plain_file(path: Path, most_bytes: int) -> bytes:
    """The content of a plain file.

    Raises:
        OSError: It cannot be read, has more bytes, or is of another kind; a pipe is not waited for.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > most_bytes:
            raise OSError(errno.EINVAL, f"not a plain file of at most {most_bytes} bytes")
        return file.read(most_bytes)


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


def identity(path: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced or written: its inode, time and size; zeros if none."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0, 0
    return status.st_ino, status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=256)
def _sha256_of(path: Path, *_identity: int) -> str:
    return sha256(path)


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder that is there whole and durable, or not at all.

    Args:
        target: The folder to make; it must not be there yet.

    Yields:
        The folder to write into, which becomes the target at the end of the block.
    """
    partial = target.with_name(target.name + PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(mode=0o755, parents=True)
        yield partial
        for path in [*partial.rglob("*"), partial]:
            fsync(path)
        partial.rename(target)
        fsync(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


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
