"""Archives: what is unpacked stays in its folder, has an end, and is whole or not there."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from mutations import bits_flipped, end_cut, middle_cut, middle_doubled, run_overwritten
from processes import wait_until

from plant_classification.errors import ModelFolderError
from plant_classification.models.archives import MOST_ENTRIES, unpack

FILES = {
    "plants/conf/conf.json": b'{"model": "Xception"}',
    "plants/ckpts/final_model.h5": random.Random(8).randbytes(70_000),
    "plants/stats/empty": b"",
    "plants/Gänseblümchen bellis.txt": b"Bellis perennis",
}
MOST = 1_000_000

Member = tuple[tarfile.TarInfo, bytes]


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, **more: object
) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.type = kind
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def tar(members: Iterable[Member], layout: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=layout) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zipped(entries: Iterable[tuple[zipfile.ZipInfo | str, bytes]], method: int = 8) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for entry, content in entries:
            info = zipfile.ZipInfo(entry) if isinstance(entry, str) else entry  # dated 1980
            archive.writestr(info, content, method)
    return file.getvalue()


PLAIN = tar(member(name, content) for name, content in FILES.items())
GNU = tar((member(name, content) for name, content in FILES.items()), tarfile.GNU_FORMAT)
WHOLE = {
    "pax": PLAIN,
    "gnu": GNU,
    "tar.gz": gzip.compress(PLAIN, mtime=0),
    "tar.xz": lzma.compress(PLAIN),
    "zip": zipped(FILES.items()),
    "stored zip": zipped(FILES.items(), zipfile.ZIP_STORED),
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Where the archive lies; its name tells nothing."""
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads" / "archive"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models" / "plants"


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refuse(archive: Path, folder: Path, content: bytes, most_bytes: int = MOST) -> str:
    """Unpack what must be refused, and see that nothing is left; returns what is said."""
    archive.write_bytes(content)
    before = sorted(archive.parent.parent.rglob("*"))
    with pytest.raises(ModelFolderError) as caught:
        unpack(archive, folder, most_bytes)
    after = set(archive.parent.parent.rglob("*")) - {folder.parent}
    assert after == set(before) - {folder.parent}
    assert str(archive) in caught.value.message
    assert caught.value.message.isprintable()
    return caught.value.message


# What is read


@pytest.mark.parametrize("kind", WHOLE)
def test_each_kind_is_told_by_its_content(kind: str, archive: Path, folder: Path) -> None:
    archive.write_bytes(WHOLE[kind])
    unpack(archive, folder, MOST)
    assert tree(folder) == FILES
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("command", ["tar -cf", "tar -czf", "tar -cJf", "tar --format=v7 -cf"])
def test_what_the_tar_command_packs_is_read(command: str, archive: Path, folder: Path) -> None:
    for name, content in FILES.items():
        path = archive.parent / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    words = [*command.split(), str(archive), "-C", str(archive.parent / "source"), "."]
    subprocess.run(words, check=True)
    if "v7" in command:
        with pytest.raises(ModelFolderError, match="not of a kind that is read"):
            unpack(archive, folder, MOST)
    else:
        unpack(archive, folder, MOST)
        assert tree(folder) == FILES


@pytest.mark.parametrize(
    "content",
    [b"", b"P", b"a model", bz2.compress(PLAIN), b"7z\xbc\xaf\x27\x1c" + bytes(600), bytes(2048)],
)
def test_what_is_no_archive_is_told_what_is_read(
    content: bytes, archive: Path, folder: Path
) -> None:
    said = refuse(archive, folder, content)
    assert "not of a kind that is read: .tar.xz, .tar.gz, .tar and .zip" in said


def test_streams_of_xz_and_members_of_gzip_may_be_several(archive: Path, folder: Path) -> None:
    middle = len(PLAIN) // 2
    for compress, filling in ((lzma.compress, bytes(8)), (gzip.compress, b"")):
        archive.write_bytes(compress(PLAIN[:middle]) + filling + compress(PLAIN[middle:]) + filling)
        unpack(archive, folder.with_name(compress.__module__), MOST)
        assert tree(folder.with_name(compress.__module__)) == FILES


def test_long_names_are_read(archive: Path, folder: Path) -> None:
    name = "plants/" + "ä" * 60 + "/" + "b" * 120
    for layout in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        target = folder.with_name(str(layout))
        archive.write_bytes(tar([member(name, b"x")], layout))
        unpack(archive, target, MOST)
        assert tree(target) == {name: b"x"}


def test_folders_may_stand_twice_and_empty(archive: Path, folder: Path) -> None:
    twice = [member("a", kind=tarfile.DIRTYPE), member("./a/", kind=tarfile.DIRTYPE)]
    archive.write_bytes(tar([*twice, member("./a//b", b"x"), *twice]))
    unpack(archive, folder, MOST)
    assert tree(folder) == {"a/b": b"x"}
    archive.write_bytes(zipped([("a/", b""), ("a/b", b"x"), ("c/", b"")]))
    unpack(archive, folder.with_name("zip"), MOST)
    assert tree(folder.with_name("zip")) == {"a/b": b"x"}
    assert (folder.with_name("zip") / "c").is_dir()


def test_what_macos_adds_is_left_out(archive: Path, folder: Path) -> None:
    names = ["plants/a", "plants/._a", "._plants", "__MACOSX/plants/._a", "__MACOSX/b"]
    archive.write_bytes(zipped((name, b"x") for name in names))
    unpack(archive, folder, MOST)
    assert sorted(path.name for path in folder.rglob("*")) == ["a", "plants"]
    archive.write_bytes(tar(member(name, b"x" * 5000) for name in names))
    unpack(archive, folder.with_name("tar"), MOST)
    assert tree(folder.with_name("tar")) == {"plants/a": b"x" * 5000}


def test_modes_and_owners_of_the_archive_mean_nothing(archive: Path, folder: Path) -> None:
    archive.write_bytes(
        tar(
            [
                member("a", kind=tarfile.DIRTYPE, mode=0, uid=1),
                member("a/b", b"x", mode=0o6777, uid=1234),
            ]
        )
    )
    info = zipfile.ZipInfo("a/b")
    info.external_attr = (stat.S_IFREG | 0o6777) << 16
    before = os.umask(0)
    try:
        unpack(archive, folder, MOST)
        archive.write_bytes(zipped([(info, b"x")]))
        unpack(archive, folder.with_name("zip"), MOST)
    finally:
        os.umask(before)
    for made in (folder, folder.with_name("zip")):
        assert stat.S_IMODE(made.stat().st_mode) == 0o755
        assert stat.S_IMODE((made / "a").stat().st_mode) == 0o755
        assert stat.S_IMODE((made / "a" / "b").stat().st_mode) == 0o644
        assert (made / "a" / "b").stat().st_uid == os.getuid()


def test_a_folder_that_is_there_stays_as_it_is(archive: Path, folder: Path) -> None:
    archive.write_bytes(PLAIN)
    unpack(archive, folder, MOST)
    (folder / "mine").write_bytes(b"x")
    with pytest.raises(ModelFolderError, match="is there already"):
        unpack(archive, folder, MOST)
    assert (folder / "mine").exists()
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda _: None])
def test_what_is_no_file_is_told(
    make: Callable[[Path], object], archive: Path, folder: Path
) -> None:
    make(archive)
    with pytest.raises(ModelFolderError, match="is not a file"):
        unpack(archive, folder, MOST)


# What leaves the folder

OUTSIDE = [
    "../evil",
    "a/../../evil",
    "a/..",
    "..",
    "/evil",
    "//evil",
    "C:evil",
    "c:\\evil",
    "..\\evil",
    "a\\..\\..\\evil",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_entry_that_leads_out_is_refused(name: str, archive: Path, folder: Path) -> None:
    good = member("plants/good", b"x")
    for content in (
        tar([good, member(name, b"evil")]),
        tar([good, member(name, b"evil")], tarfile.GNU_FORMAT),
        tar([good, member(name, kind=tarfile.DIRTYPE)]),
        tar([good, member("a", b"evil", pax_headers={"path": name})]),
        zipped([("plants/good", b"x"), (name, b"evil")]),
    ):
        said = refuse(archive, folder, content)
        assert f"because its entry {name!r}"[:-1] in said
        assert "leads out of the folder" in said


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "a\x1b[2J", "\u202egpj.exe", "a" * 256])
def test_a_name_that_cannot_be_shown_or_is_too_long_is_refused(
    name: str, archive: Path, folder: Path
) -> None:
    said = refuse(archive, folder, tar([member("a", b"x", pax_headers={"path": name})]))
    assert "more than 255 bytes, or characters that cannot be printed" in said
    placeholder = "n" * len(name.encode())
    content = zipped([(placeholder, b"x")]).replace(placeholder.encode(), name.encode())
    if name.isascii():
        assert "cannot be printed" in refuse(archive, folder, content)


def test_a_name_that_is_not_utf8_is_refused(archive: Path, folder: Path) -> None:
    content = tar([member("aaaa", b"x")], tarfile.USTAR_FORMAT)
    header = bytearray(content[:512])
    header[:4] = b"a\xff\xffa"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert "cannot be printed" in refuse(archive, folder, bytes(header) + content[512:])


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (b"Z", "neither a file nor a folder"),
    ],
)
def test_what_is_no_plain_file_in_a_tar_is_refused(
    kind: bytes, word: str, archive: Path, folder: Path
) -> None:
    for name, link in (("plants/x", "/etc/passwd"), ("plants/x", "good"), ("._x", "..")):
        entry = member(name, kind=kind, linkname=link)
        said = refuse(archive, folder, tar([member("plants/good", b"x"), entry]))
        assert f"because its entry {name!r} is {word}" in said


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (stat.S_IFLNK, "a link"),
        (stat.S_IFCHR, "a device"),
        (stat.S_IFBLK, "a device"),
        (stat.S_IFIFO, "a pipe"),
        (stat.S_IFSOCK, "neither a file nor a folder"),
    ],
)
def test_what_is_no_plain_file_in_a_zip_is_refused(
    kind: int, word: str, archive: Path, folder: Path
) -> None:
    info = zipfile.ZipInfo("plants/x")
    info.external_attr = (kind | 0o777) << 16
    said = refuse(archive, folder, zipped([("plants/good", b"x"), (info, b"/etc/passwd")]))
    assert f"because its entry 'plants/x' is {word}" in said


def test_an_entry_through_a_link_is_refused_with_the_link(archive: Path, folder: Path) -> None:
    link = member("plants/x", kind=tarfile.SYMTYPE, linkname=str(archive.parent))
    said = refuse(archive, folder, tar([link, member("plants/x/evil", b"evil")]))
    assert "a link" in said


@pytest.mark.parametrize("second", ["a/b", "./a/b", "a//b", "a/b/c", "a"])
def test_an_entry_that_stands_twice_is_refused(second: str, archive: Path, folder: Path) -> None:
    said = refuse(archive, folder, tar([member("a/b", b"first"), member(second, b"second")]))
    assert f"its entry {second!r} stands twice" in said
    placeholder = "z" * len(second)
    content = zipped([("a/b", b"first"), (placeholder, b"second")])
    content = content.replace(placeholder.encode(), second.encode())
    assert f"its entry {second!r} stands twice" in refuse(archive, folder, content)


def sparse_members() -> list[bytes]:
    """Sparse files of GNU's old form, and of its forms within pax headers."""
    old = bytearray(tar([member("sparse", bytes(512))], tarfile.GNU_FORMAT))
    old[156:157] = tarfile.GNUTYPE_SPARSE
    old[386:410] = b"%011o\0%011o\0" % (0, 512)
    old[483:495] = b"%011o\0" % 10**9
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old[:512])
    headers = [
        {"GNU.sparse.map": "0,512", "GNU.sparse.size": "999999999"},
        {"GNU.sparse.size": "999999999", "GNU.sparse.numblocks": "0"},
        {
            "GNU.sparse.major": "1", "GNU.sparse.minor": "0",
            "GNU.sparse.realsize": "999999999", "GNU.sparse.name": "sparse",
        },
    ]  # fmt: skip
    body = b"1\n0\n512\n".ljust(512, b"\0") + bytes(512)
    return [
        bytes(old),
        *(tar([member("sparse", body, pax_headers=header)]) for header in headers),
    ]


@pytest.mark.parametrize("content", sparse_members())
def test_a_sparse_file_is_refused(content: bytes, archive: Path, folder: Path) -> None:
    assert "its entry 'sparse' is a sparse file" in refuse(archive, folder, content)


def test_an_encrypted_zip_is_refused(archive: Path, folder: Path) -> None:
    content = bytearray(zipped([("secret.txt", b"x")]))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + place] |= 1
    assert "its entry 'secret.txt' is encrypted" in refuse(archive, folder, bytes(content))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_of_zip_without_a_bound_are_refused(
    method: int, archive: Path, folder: Path
) -> None:
    said = refuse(archive, folder, zipped([("a", b"x" * 99)], method))
    assert f"a method that is not read ({method})" in said


# Bombs


def bomb(kind: str) -> bytes:
    """50 MB of zeros, packed."""
    if kind == "zip":
        return zipped([("plants/zeros", bytes(50_000_000))])
    plain = tar([member("plants/zeros", bytes(50_000_000))])
    return {"tar.xz": lzma.compress(plain, preset=0), "tar.gz": gzip.compress(plain)}.get(
        kind, plain
    )


@pytest.mark.parametrize("kind", ["tar.xz", "tar.gz", "tar", "zip"])
def test_a_bomb_is_refused(kind: str, archive: Path, folder: Path) -> None:
    said = refuse(archive, folder, bomb(kind))
    assert "it holds more than the 1,000,000 bytes" in said


def test_as_many_bytes_as_allowed_are_unpacked(archive: Path, folder: Path) -> None:
    names = [f"plants/{number}" for number in range(10)]
    for content in (
        tar(member(name, bytes(1000)) for name in names),
        zipped((name, bytes(1000)) for name in names),
    ):
        refuse(archive, folder, content, 9999)
        unpack(archive, folder.with_name(str(len(content))), 10_000)


def test_what_is_left_out_counts_too(archive: Path, folder: Path) -> None:
    for content in (
        tar([member("a", b"x"), member("._a", bytes(2 * MOST))]),
        zipped([("a", b"x"), ("__MACOSX/a", bytes(2 * MOST))]),
    ):
        assert "more than the 1,000,000 bytes" in refuse(archive, folder, content)


@pytest.mark.parametrize("told", [0, 10, 10**6, 2**32 - 1])
def test_a_zip_that_lies_about_its_sizes_is_damaged(told: int, archive: Path, folder: Path) -> None:
    content = bytearray(zipped([("a", bytes(100_000))]))
    place = content.index(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", told)
    assert "is damaged" in refuse(archive, folder, bytes(content))


def test_a_zip_that_lies_about_its_places_is_damaged(archive: Path, folder: Path) -> None:
    content = bytearray(WHOLE["zip"])
    place = content.index(b"PK\x05\x06") + 16
    (told,) = struct.unpack_from("<I", content, place)
    for offset in (told + 1000, told - 1, 0, 2**32 - 1):
        struct.pack_into("<I", content, place, offset)
        assert "is damaged" in refuse(archive, folder, bytes(content))


NUMBERS = range(MOST_ENTRIES + 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: tar((member(f"{number}") for number in NUMBERS), tarfile.USTAR_FORMAT),
        lambda: tar((member("a", kind=tarfile.DIRTYPE) for _ in NUMBERS), tarfile.USTAR_FORMAT),
        lambda: tar((member("._a") for _ in NUMBERS), tarfile.USTAR_FORMAT),
        lambda: zipped((f"{number}/", b"") for number in NUMBERS),
    ],
    ids=["files", "one folder", "left out", "folders of a zip"],
)
def test_too_many_entries_are_refused(
    make: Callable[[], bytes], archive: Path, folder: Path
) -> None:
    assert "more than 10,000 entries" in refuse(archive, folder, make())


def test_a_long_list_of_a_zip_is_refused_unread(archive: Path, folder: Path) -> None:
    content = zipped((f"{number:0200}", b"") for number in range(20_000))
    assert "its list of entries is too long" in refuse(archive, folder, content)


def header_bombs() -> dict[str, bytes]:
    """Headers that say they are long, and are, packed."""
    long = "x" * 3_000_000
    name = tar([member("a", b"x")], tarfile.GNU_FORMAT)
    chain = b"".join(
        tar([member("a", b"x", pax_headers={"comment": "x"})])[:1024] for _ in range(5000)
    )
    records = b"2 " * 8_000_000 + b"="
    body = b"1000000000\n" + b"0\n" * 10_000_000
    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}
    return {
        "pax value": tar([member("a", b"x", pax_headers={"comment": long})]),
        "pax name": tar([member("a", b"x", pax_headers={"path": long})]),
        "global pax": tar([member("g", records, tarfile.XGLTYPE), member("a", b"x")]),
        "pax records": tar([member("p", records, tarfile.XHDTYPE), member("a", b"x")]),
        "gnu name": tar([member("n", records, tarfile.GNUTYPE_LONGNAME), member("a", b"x")]),
        "gnu link": tar([member("n", records, tarfile.GNUTYPE_LONGLINK), member("a", b"x")]),
        "chain": chain + name,
        "sparse map": tar([member("a", body, pax_headers=sparse)]),
    }


HEADER_BOMBS = [
    "pax value", "pax name", "global pax", "pax records", "gnu name", "gnu link", "chain",
    "sparse map",
]  # fmt: skip


@pytest.mark.parametrize("kind", HEADER_BOMBS)
def test_long_headers_of_a_tar_are_refused(kind: str, archive: Path, folder: Path) -> None:
    said = refuse(archive, folder, gzip.compress(header_bombs()[kind], 1))
    assert "more than 16,384 bytes of headers" in said


def xz_of_dictionary(content: bytes, code: int) -> bytes:
    """What asks for a dictionary of 2**(code / 2 + 12) bytes to be unpacked."""
    packed = bytearray(lzma.compress(content, preset=0))
    end = 12 + (packed[12] + 1) * 4
    assert packed[14:16] == b"\x21\x01"
    packed[16] = code
    packed[end - 4 : end] = struct.pack("<I", zlib.crc32(packed[12 : end - 4]))
    return bytes(packed)


@pytest.mark.parametrize("code", [34, 36, 40])
def test_an_xz_that_takes_much_memory_is_refused(code: int, archive: Path, folder: Path) -> None:
    said = refuse(archive, folder, xz_of_dictionary(PLAIN, code))
    assert "more than 256 MiB of memory" in said


@pytest.mark.parametrize("code", [0x18, 30])
def test_an_xz_of_a_usual_dictionary_is_unpacked(code: int, archive: Path, folder: Path) -> None:
    archive.write_bytes(xz_of_dictionary(PLAIN, code))
    unpack(archive, folder, MOST)
    assert tree(folder) == FILES


PEAK = """
import sys
from pathlib import Path
from plant_classification.errors import ModelFolderError
from plant_classification.models.archives import unpack
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
good, evil, folder = map(Path, sys.argv[1:])
unpack(good, folder / "good", 10**9)
before = peak()
try:
    unpack(evil, folder / "evil", 10**9)
except ModelFolderError as error:
    print(error)
print(peak() - before)
"""


def peak_of(content: bytes, archive: Path, folder: Path) -> int:
    """Bytes of memory that unpacking it takes, in a process of its own."""
    good = archive.with_name("good")
    good.write_bytes(WHOLE["tar.xz"])
    archive.write_bytes(content)
    words = [sys.executable, "-c", PEAK, str(good), str(archive), str(folder)]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return int(said.split()[-1])


@pytest.mark.parametrize("kind", HEADER_BOMBS)
def test_long_headers_take_no_memory(kind: str, archive: Path, folder: Path) -> None:
    content = gzip.compress(header_bombs()[kind], 1)
    assert peak_of(content, archive, folder) < 30_000_000


def test_many_headers_take_no_memory(archive: Path, folder: Path) -> None:
    """Each is within its bound; all together they are 100 MB."""
    content = tar(
        member(f"._{number}", pax_headers={f"{number}": "x" * 12_000}) for number in range(8000)
    )
    assert peak_of(gzip.compress(content, 1), archive, folder) < 30_000_000


@pytest.mark.parametrize("kind", ["tar.xz", "tar.gz", "zip"])
def test_large_files_take_no_memory(kind: str, archive: Path, folder: Path) -> None:
    assert peak_of(bomb(kind), archive, folder) < 30_000_000


# What is damaged


@pytest.mark.parametrize("kind", WHOLE)
def test_a_truncated_archive_is_told_wherever_it_ends(
    kind: str, archive: Path, folder: Path
) -> None:
    content = WHOLE[kind]
    end = len(content.rstrip(b"\0")) if kind in ("pax", "gnu") else len(content)
    for length in {*range(1, end, 997), *range(512, end, 512), end - 1, end - 7}:
        said = refuse(archive, folder, content[:length])
        assert "is damaged, or not a whole archive" in said or length < 512


@pytest.mark.parametrize(
    "content",
    [tar([]), zipped([]), gzip.compress(tar([])), zipped([("a/", b"")])],
    ids=["tar", "zip", "tar.gz", "folder"],
)
def test_an_archive_without_a_file_is_refused(content: bytes, archive: Path, folder: Path) -> None:
    archive.write_bytes(content)
    with pytest.raises(ModelFolderError, match=r"it holds no file|not of a kind"):
        unpack(archive, folder, MOST)
    assert list(folder.parent.iterdir()) == []


def test_a_damaged_header_is_not_taken_for_the_end(archive: Path, folder: Path) -> None:
    content = bytearray(tar([member("a", b"x"), member("b", b"y")], tarfile.USTAR_FORMAT))
    content[1024 + 148] ^= 1
    assert "is damaged" in refuse(archive, folder, bytes(content))


def test_a_wrong_checksum_of_the_compression_is_told(archive: Path, folder: Path) -> None:
    for kind in ("tar.gz", "tar.xz", "zip", "stored zip"):
        content = bytearray(WHOLE[kind])
        content[-6 if kind == "tar.gz" else len(content) // 2] ^= 1
        assert "is damaged" in refuse(archive, folder, bytes(content))


def set_size(size: bytes) -> bytes:
    content = bytearray(tar([member("a", b"x" * 600), member("b", b"y")], tarfile.USTAR_FORMAT))
    content[124:136] = size
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        set_size(b"\xff" * 12),
        set_size(b"\xff" * 10 + b"\xfe\0"),
        set_size(b"\x80" + b"\xff" * 11),
        set_size(b"77777777777\0"),
        set_size(b"-0000000777\0"),
        tar([member("a", b"x", pax_headers={"size": "-1024"}), member("b", b"y")]),
        tar([member("a", b"x", pax_headers={"size": "99999999999999999999"})]),
    ],
)
def test_impossible_sizes_end(content: bytes, archive: Path, folder: Path) -> None:
    refuse(archive, folder, content)


DAMAGES = (bits_flipped, end_cut, middle_cut, middle_doubled, run_overwritten)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_damaged_is_a_sentence_or_stays_in_the_folder(
    seed: int, archive: Path, folder: Path
) -> None:
    chance = random.Random(seed)
    originals = [*WHOLE.values(), *sparse_members()]
    outcomes: set[str] = set()
    for number in range(250):
        content = originals[number % len(originals)]
        for damage in chance.choices(DAMAGES, k=chance.randint(1, 3)):
            content = damage(content, b"", chance)
        archive.write_bytes(content)
        try:
            unpack(archive, folder, MOST)
        except ModelFolderError:
            outcomes.add("sentence")
        else:
            outcomes.add("folder")
            shutil.rmtree(folder)
        assert {path.name for path in archive.parent.parent.iterdir()} <= {"downloads", "models"}
        assert not folder.parent.exists() or list(folder.parent.iterdir()) == []
    assert "sentence" in outcomes


# What interrupts

INTERRUPTED = """
import sys
from pathlib import Path
from plant_classification.models import archives
archives.BLOCK_BYTES = 16  # slowly
archives.unpack(Path(sys.argv[1]), Path(sys.argv[2]), 10**9)
"""


def test_ctrl_c_leaves_nothing(archive: Path, folder: Path) -> None:
    archive.write_bytes(bomb("tar.gz"))
    words = [sys.executable, "-c", INTERRUPTED, str(archive), str(folder)]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
        wait_until(
            lambda: any(path.stat().st_size for path in folder.parent.rglob("zeros")), "some bytes"
        )
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert list(folder.parent.iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(archive: Path, folder: Path) -> None:
    """A limit on the size of files stands for the disk."""
    archive.write_bytes(PLAIN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(ModelFolderError, match=r"cannot be unpacked to .*: File too large"):
            unpack(archive, folder, MOST)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(folder.parent.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(archive: Path, folder: Path) -> None:
    archive.write_bytes(PLAIN)
    folder.parent.write_bytes(b"a file")
    with pytest.raises(ModelFolderError, match="cannot be unpacked to"):
        unpack(archive, folder, MOST)
