"""Unpacking an archive that came from elsewhere: nothing leaves the folder, and all has an end.

Each entry is judged and written here, as a plain file or a folder; tarfile and zipfile only take
the archive apart. (The filters of tarfile are not in every Python that is supported, and say
nothing of sizes.)
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from plant_classification.errors import ModelFolderError
from plant_classification.files import new_folder

READ = ".tar.xz, .tar.gz, .tar and .zip"
MOST_ENTRIES = 10_000
MOST_NAME_BYTES = 255
"""Of a whole path, which so is not very deep either."""
MOST_HEADER_BYTES = 1 << 14
"""Of one entry of a tar archive: its extended headers are kept in memory, in many pieces."""
MOST_LIST_BYTES = 1 << 22
"""Of a zip archive's list of entries, which is kept in memory."""
MOST_DECODER_BYTES = 1 << 28
"""Memory to unpack xz: ``xz -9`` asks for 65 MiB, and the format allows 4 GiB."""
BLOCK_BYTES = 1 << 18
TAR_END = bytes(512)
ENCRYPTED = 0x41
"""The bits of a zip entry's flags that say so, for the old encryption and the strong one."""

TAR_KINDS = {
    tarfile.SYMTYPE: "a link",
    tarfile.LNKTYPE: "a link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}
ZIP_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
}
NO_KIND = "neither a file nor a folder"

BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RecursionError,
)
"""What the readers raise for an archive that is damaged."""


class _RefusedError(Exception):
    """An archive that is not unpacked; its words follow "because"."""


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclasses.dataclass(frozen=True)
class _Entry:
    """One file or folder of an archive; its blocks are read before the next entry is asked for."""

    name: str
    is_folder: bool
    size: int
    blocks: Iterator[bytes]


def unpack(archive: Path, folder: Path, most_bytes: int) -> None:
    """Unpack a ``.tar.xz``, ``.tar.gz``, ``.tar`` or ``.zip``, told by its content.

    Files get the mode 0644 and folders 0755, less the umask. What macOS adds (``__MACOSX``,
    ``._*``) is left out.

    Args:
        archive: The file to unpack.
        folder: To make; it must not be there yet, and is there whole or not at all.
        most_bytes: An archive whose files have more in all is refused.

    Raises:
        ModelFolderError: The archive is none of these, is damaged, or holds too much, or what
            leaves the folder, stands twice, or is neither a file nor a folder; the entry is named.
    """
    if os.path.lexists(folder):
        raise ModelFolderError(f"{folder} is there already; give another name.")
    if not archive.is_file():
        raise ModelFolderError(f"{archive} is not a file.")
    try:
        with new_folder(folder) as partial, _BoundedFile(io.FileIO(archive)) as file:
            _write(_entries(file), partial, most_bytes)
    except _RefusedError as reason:
        raise ModelFolderError(f"{archive} is not unpacked, because {reason}.") from None
    except BROKEN:
        raise ModelFolderError(
            f"{archive} is damaged, or not a whole archive; copy or download it again."
        ) from None
    except OSError as error:
        raise ModelFolderError(
            f"{archive} cannot be unpacked to {folder}: {error.strerror}."
        ) from None


def _write(entries: Iterator[_Entry], folder: Path, most_bytes: int) -> None:
    """Write all entries below a new folder."""
    files = written = 0
    for count, entry in enumerate(entries, 1):
        if count > MOST_ENTRIES:
            raise _RefusedError(f"it has more than {MOST_ENTRIES:,} entries")
        parts = _parts(entry.name)
        path: Path | None = folder.joinpath(*parts)
        if any(part == "__MACOSX" or part.startswith("._") for part in parts):
            path = None
        try:
            if path:
                _make_folders(folder, parts if entry.is_folder else parts[:-1])
            if not entry.is_folder:
                written = _write_file(entry, path, written, most_bytes)
                files += path is not None
        except (FileExistsError, NotADirectoryError):
            raise _RefusedError(f"its entry {_quoted(entry.name)} stands twice") from None
    if not files:
        raise _RefusedError("it holds no file")


def _write_file(entry: _Entry, path: Path | None, before: int, most_bytes: int) -> int:
    """Write a file that is not there yet, or only read it; returns the bytes written until now."""
    end = before
    with open(path, "xb", opener=_open_plain) if path else contextlib.nullcontext() as file:
        for block in entry.blocks:
            end += len(block)
            if end > most_bytes:
                raise _RefusedError(f"it holds more than the {most_bytes:,} bytes that it may")
            if file:
                file.write(block)
    if end - before != entry.size:
        raise EOFError
    return end


def _open_plain(path: str, flags: int) -> int:
    return os.open(path, flags, 0o644)


def _make_folders(folder: Path, parts: list[str]) -> None:
    for part in parts:
        folder /= part
        folder.mkdir(mode=0o755, exist_ok=True)


def _parts(name: str) -> list[str]:
    """The parts of an entry's name, which leads to a place in the folder."""
    if not name.isprintable() or len(name.encode()) > MOST_NAME_BYTES:
        raise _RefusedError(
            f"the name of its entry {_quoted(name)} has more than {MOST_NAME_BYTES} bytes, or "
            "characters that cannot be printed"
        )
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or re.match("[A-Za-z]:", name):
        raise _RefusedError(f"its entry {_quoted(name)} leads out of the folder")
    return [part for part in parts if part not in ("", ".")]


def _quoted(name: str) -> str:
    return repr(name[:100])


def _entries(file: _BoundedFile) -> Iterator[_Entry]:
    head = file.read(512)
    file.seek(0)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _zip_entries(file)
    elif head.startswith(b"\xfd7zXZ\0"):
        yield from _tar_entries(_XzSource(file))
    elif head.startswith(b"\x1f\x8b"):
        yield from _tar_entries(gzip.GzipFile(fileobj=file, mode="rb"))
    elif head[257:262] == b"ustar":
        yield from _tar_entries(file)
    else:
        raise _RefusedError(f"it is not of a kind that is read: {READ}, told by their content")


def _zip_entries(file: _BoundedFile) -> Iterator[_Entry]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = info.orig_filename
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _RefusedError(f"its entry {_quoted(name)} is {ZIP_KINDS.get(kind, NO_KIND)}")
            if info.flag_bits & ENCRYPTED:
                raise _RefusedError(f"its entry {_quoted(name)} is encrypted")
            # The others cannot be held to a bound of memory.
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _RefusedError(
                    f"its entry {_quoted(name)} is packed by a method that is not read "
                    f"({info.compress_type}); use deflate"
                )
            is_folder = name.endswith("/") or kind == stat.S_IFDIR
            yield _Entry(name, is_folder, info.file_size, _zip_blocks(archive, info))


def _zip_blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as content:
        while block := content.read(BLOCK_BYTES):
            yield block


def _tar_entries(source: _Source) -> Iterator[_Entry]:
    stream = _TarStream(source)
    file: Any = stream  # to be read only
    tar: Any = tarfile.TarFile(fileobj=file, encoding="utf-8", errors="surrogateescape")
    while stream.last_read != TAR_END and (member := tar.next()):
        if not (member.isreg() or member.isdir()) or member.issparse():
            kind = "a sparse file" if member.issparse() else TAR_KINDS.get(member.type, NO_KIND)
            raise _RefusedError(f"its entry {_quoted(member.name)} is {kind}")
        blocks = stream.blocks(0 if member.isdir() else member.size)
        yield _Entry(member.name, member.isdir(), member.size, blocks)
        stream.header_bytes = 0
        # Else all names and headers of the archive would be kept.
        tar.members.clear()
        tar.pax_headers.clear()
    if stream.last_read != TAR_END:  # tarfile takes a damaged header for the end
        raise EOFError
    for _ in stream.blocks(BLOCK_BYTES):  # what remains holds the checksum of the compression
        pass


class _BoundedFile(io.BufferedReader):
    """A file of which no more than ``MOST_LIST_BYTES`` are ever read at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = MOST_LIST_BYTES
        if size > MOST_LIST_BYTES:
            raise _RefusedError("its list of entries is too long")
        return super().read(size)

    def seek(self, position: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_SET and position < 0:  # a place that an archive names
            raise EOFError
        return super().seek(position, whence)


class _TarStream:
    """What tarfile reads headers from, forwards and within ``MOST_HEADER_BYTES`` an entry."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._position = 0
        self.header_bytes = 0
        self.last_read = b""

    def read(self, size: int) -> bytes:
        """Read of a header."""
        self.header_bytes += size
        if size < 0 or self.header_bytes > MOST_HEADER_BYTES:
            raise _RefusedError(f"an entry has more than {MOST_HEADER_BYTES:,} bytes of headers")
        self.last_read = b"".join(self.blocks(size))
        return self.last_read

    def blocks(self, size: int) -> Iterator[bytes]:
        """The next bytes, as many as there are up to that size."""
        while size > 0 and (block := self._source.read(min(size, BLOCK_BYTES))):
            self._position += len(block)
            size -= len(block)
            yield block

    def tell(self) -> int:
        """Where the next byte is."""
        return self._position

    def seek(self, position: int) -> None:
        """Go forwards."""
        if position < self._position:
            raise EOFError
        for _ in self.blocks(position - self._position):
            pass


class _XzSource:
    """Unpacks xz in bounded memory, which ``lzma.open`` cannot."""

    def __init__(self, file: _Source) -> None:
        self._file = file
        self._rest = b""
        self._decoder = self._new_decoder()

    @staticmethod
    def _new_decoder() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_DECODER_BYTES)

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        while not self._decoder.eof or self._begin_next():
            packed = b""
            if self._decoder.needs_input:
                packed = self._rest or self._file.read(BLOCK_BYTES)
                self._rest = b""
                if not packed:
                    raise EOFError
            try:
                block = self._decoder.decompress(packed, size)
            except lzma.LZMAError as error:
                if "limit" in str(error):
                    raise _RefusedError(
                        f"it takes more than {MOST_DECODER_BYTES >> 20} MiB of memory to unpack; "
                        "pack it with xz -9 or less"
                    ) from None
                raise
            if block:
                return block
        return b""

    def _begin_next(self) -> bool:
        """Whether another stream follows, after zeros that fill up."""
        rest = self._decoder.unused_data.lstrip(b"\0")
        while not rest and (more := self._file.read(BLOCK_BYTES)):
            rest = more.lstrip(b"\0")
        if rest:
            self._rest = rest
            self._decoder = self._new_decoder()
        return bool(rest)
