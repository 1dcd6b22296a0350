"""Downloads of photos: polite, bounded, and going on where they ended. Servers are real."""

from __future__ import annotations

import csv
import dataclasses
import email.utils
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from darwin_core_archives import write_archive
from drawn_photos import encode, ramp
from PIL import Image
from processes import wait_until
from site_of_photos import Act, PhotoSite, give_late, say, say_nothing, serving

from plant_classification.data.darwin_core import read_archive
from plant_classification.data.downloading import DownloadState, download_photos
from plant_classification.data.downloading.polite_queue import Manners
from plant_classification.errors import DatasetError
from plant_classification.settings import Settings

HURRY = Manners(pause_seconds=0, first_wait=0, seconds=20)
SPECIES = ("Bellis perennis", "Quercus ilex", "Mentha × piperita")

Rows = list[dict[str, str]]


@pytest.fixture
def site() -> Iterator[PhotoSite]:
    with serving() as served:
        for number in range(6):
            served.photos[f"/{number}"] = photo(number)
        yield served


@pytest.fixture
def named(site: PhotoSite, settings: Settings) -> Settings:
    """Settings that let the site be asked, on loopback as it is."""
    pairs = (site.pair, f"localhost:{site.port}")
    return dataclasses.replace(settings, url_private_hosts=pairs, max_photo_bytes=100_000)


@pytest.fixture
def archive(site: PhotoSite, tmp_path: Path) -> Path:
    """Six photos of three plants."""
    return archive_of([site.address(path) for path in site.photos], tmp_path)


def archive_of(addresses: list[str], tmp_path: Path, **columns: str) -> Path:
    occurrences = [
        {"gbifID": str(number), "species": species, "family": "Aceae"}
        for number, species in enumerate(SPECIES)
    ]
    media = [
        {"gbifID": str(number % 3), "identifier": address, "license": "CC BY", **columns}
        for number, address in enumerate(addresses)
    ]
    return write_archive(tmp_path / "archive.zip", occurrences, media)


def photo(number: int) -> bytes:
    return encode(np.roll(ramp(), 9 * number, axis=1), "JPEG")


def get(archive: Path, folder: Path, settings: Settings, manners: Manners = HURRY) -> DownloadState:
    return download_photos(read_archive(archive, {}), folder, settings, manners=manners)


def rows(folder: Path, name: str = "photos.csv") -> Rows:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reasons(folder: Path) -> dict[str, tuple[str, str]]:
    """By the number in the address: the reason, and whether it is tried again."""
    return {
        row["url"].rpartition("/")[2]: (row["reason"], row["try_again"])
        for row in rows(folder, "failures.csv")
    }


def is_whole(folder: Path, site: PhotoSite) -> bool:
    """Whether the table has each photo once, and each file is right and the only one."""
    table = {row["url"].rpartition(":")[2][5:]: row["path"] for row in rows(folder)}
    files = {str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.is_file()}
    right = all((folder / path).read_bytes() == site.photos[url] for url, path in table.items())
    return right and len(rows(folder)) == len(table) and files == {
        "photos.csv", "failures.csv", *table.values()
    }  # fmt: skip


# What comes of it


def test_the_photos_come_with_a_table_of_what_is_known_of_them(
    site: PhotoSite, archive: Path, named: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "garden"
    state = get(archive, folder, named)
    assert (state.total, state.there, state.failed, state.given_up) == (6, 6, 0, ())
    assert state.new_bytes == sum(map(len, site.photos.values()))
    row = next(row for row in rows(folder) if row["url"] == site.address("/5"))
    assert row.pop("path").startswith("photos/Mentha_piperita/2_")
    assert len(row.pop("sha256")) == 64
    assert row == {
        "label": "Mentha × piperita",
        "family": "Aceae",
        "organ": "",
        "observation": "2",
        "source": "127.0.0.1",
        "licence": "CC BY",
        "author": "",
        "rights_holder": "",
        "url": site.address("/5"),
    }
    assert len(rows(folder)) == 6
    assert all((folder / row["path"]).suffix == ".jpg" for row in rows(folder))
    assert site.agents == {"plant-classification"}


def test_a_photo_is_named_by_what_it_is_and_not_by_its_address(
    site: PhotoSite, named: Settings, tmp_path: Path
) -> None:
    site.photos["/a.jpg"] = encode(ramp(), "WEBP")
    get(archive_of([site.address("/a.jpg")], tmp_path), tmp_path / "data", named)
    (row,) = rows(tmp_path / "data")
    assert row["path"].endswith(".webp")


def test_an_address_that_stands_twice_is_asked_once(
    site: PhotoSite, named: Settings, tmp_path: Path
) -> None:
    get(archive_of([site.address("/1")] * 3, tmp_path), tmp_path / "data", named)
    assert site.asked == ["/1"]
    assert len(rows(tmp_path / "data")) == 1


def test_what_strangers_write_is_neither_a_formula_nor_a_second_line(
    site: PhotoSite, named: Settings, tmp_path: Path
) -> None:
    archive = archive_of(
        [site.address("/1")],
        tmp_path,
        creator='=HYPERLINK("x")',
        rightsHolder='"a"\r\x1b[31m\x85, b',
    )
    get(archive, tmp_path / "data", named)
    (row,) = rows(tmp_path / "data")
    assert row["author"] == '\'=HYPERLINK("x")'
    assert row["rights_holder"] == '"a" [31m , b'


def test_a_species_is_of_one_family_in_the_table_whatever_providers_say(
    site: PhotoSite, named: Settings, tmp_path: Path
) -> None:
    for number, family in enumerate(("Asteraceae", "Compositae", "")):
        archive = write_archive(
            tmp_path / f"archive-{number}",
            [{"gbifID": "1", "species": "Bellis perennis", "family": family}],
            [{"gbifID": "1", "identifier": site.address(f"/{number}")}],
        )
        get(archive, tmp_path / "data", named)
    assert [row["family"] for row in rows(tmp_path / "data")] == ["Asteraceae"] * 3


def test_a_field_has_an_end(site: PhotoSite, named: Settings, tmp_path: Path) -> None:
    archive = archive_of([site.address("/1")], tmp_path, license="all of it " * 50_000)
    get(archive, tmp_path / "data", named)
    assert get(archive, tmp_path / "data", named).there == 1
    assert site.asked == ["/1"]
    assert len(rows(tmp_path / "data")[0]["licence"]) == 10_000


# Going on


def test_the_same_call_asks_for_nothing_that_is_there(
    site: PhotoSite, archive: Path, named: Settings, tmp_path: Path
) -> None:
    get(archive, tmp_path / "data", named)
    site.asked.clear()
    table = (tmp_path / "data" / "photos.csv").read_bytes()
    state = get(archive, tmp_path / "data", named)
    assert site.asked == []
    assert (state.there, state.new_bytes) == (6, 0)
    assert (tmp_path / "data" / "photos.csv").read_bytes() == table


def test_a_photo_that_is_gone_and_a_row_that_was_cut_come_again(
    site: PhotoSite, archive: Path, named: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    get(archive, folder, named)
    (folder / rows(folder)[0]["path"]).unlink()
    (folder / "photos.csv").write_bytes((folder / "photos.csv").read_bytes()[:-30])
    site.asked.clear()
    assert get(archive, folder, named).there == 6
    assert len(site.asked) == 2
    assert is_whole(folder, site)


DOWNLOAD = """
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from plant_classification.data.darwin_core import read_archive
from plant_classification.data.downloading import download_photos
from plant_classification.data.downloading.polite_queue import Manners
from plant_classification.settings import load_settings
archive, folder, pair = sys.argv[1:]
manners = Manners(connections=2, pause_seconds=0, seconds=600)
settings = load_settings(url_private_hosts=(pair,))
download_photos(read_archive(Path(archive), {}), Path(folder), settings, manners=manners)
"""


@contextmanager
def started(archive: Path, folder: Path, site: PhotoSite) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-c", DOWNLOAD, str(archive), str(folder), site.pair]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_download_that_is_ended_goes_on(
    sent: int, site: PhotoSite, archive: Path, named: Settings, tmp_path: Path
) -> None:
    """Two answers never come; the process ends at once all the same."""
    folder = tmp_path / "data"
    site.acts |= {"/3": [say_nothing], "/4": [say_nothing]}
    with started(archive, folder, site) as process:
        wait_until(lambda: {"/3", "/4"} <= set(site.asked), "both are asked for")
        wait_until(lambda: len(rows(folder)) == 3, "the three before them are there")
        process.send_signal(sent)
        assert process.wait(30) != 0
    assert is_whole(folder, site)
    site.asked.clear()
    assert get(archive, folder, named).there == 6
    assert sorted(site.asked) == ["/3", "/4", "/5"]
    assert is_whole(folder, site)


# Politeness


def test_a_host_is_asked_by_few_at_once_and_with_a_pause(
    site: PhotoSite, archive: Path, named: Settings, tmp_path: Path
) -> None:
    for path in site.photos:
        site.acts[path] = [give_late]
    manners = Manners(connections=2, pause_seconds=0.15)
    assert get(archive, tmp_path / "data", named, manners).there == 6
    assert site.most_at_once == 2
    times = sorted(site.times)
    assert min(np.diff(times)) > 0.05  # what was asked first may be seen late


def test_each_host_is_asked_by_itself(site: PhotoSite, named: Settings, tmp_path: Path) -> None:
    for path in site.photos:
        site.acts[path] = [give_late]
    addresses = [site.address(f"/{number}") for number in range(3)]
    addresses += [site.address(f"/{number}", "localhost") for number in range(3, 6)]
    manners = Manners(connections=1, pause_seconds=0)
    get(archive_of(addresses, tmp_path), tmp_path / "data", named, manners)
    assert site.most_at_once == 2


def in_two_seconds() -> str:
    return email.utils.format_datetime(datetime.now(timezone.utc) + timedelta(seconds=2))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("told", [lambda: "1", in_two_seconds])
def test_a_host_that_says_when_to_come_again_is_obeyed(
    status: int, told: Callable[[], str], site: PhotoSite, named: Settings, tmp_path: Path
) -> None:
    def refuse(visit: object) -> None:
        say(status, Retry_After=told())(visit)  # type: ignore[arg-type]

    site.acts["/1"] = [refuse]
    archive = archive_of([site.address(path) for path in ("/1", "/2")], tmp_path)
    manners = dataclasses.replace(HURRY, connections=1)
    state = get(archive, tmp_path / "data", named, manners)
    assert (state.there, state.failed) == (2, 0)
    assert site.asked == ["/1", "/1", "/2"]
    assert site.times[1] - site.times[0] > 0.9


def test_a_host_that_is_too_busy_for_now_is_left_alone_until_the_next_call(
    site: PhotoSite, named: Settings, tmp_path: Path
) -> None:
    site.acts["/0"] = [say(429, Retry_After="86400")]
    addresses = [site.address(path) for path in site.photos]
    addresses[5] = site.address("/5", "localhost")
    archive = archive_of(addresses, tmp_path)
    manners = dataclasses.replace(HURRY, connections=1)
    state = get(archive, tmp_path / "data", named, manners)
    assert state.given_up == (("127.0.0.1", "asks to wait for 86,400 seconds"),)
    assert (state.there, state.failed) == (1, 0)
    assert sorted(site.asked) == ["/0", "/5"]
    assert get(archive, tmp_path / "data", named).there == 6


def test_a_host_that_is_always_too_busy_is_given_up(
    site: PhotoSite, archive: Path, named: Settings, tmp_path: Path
) -> None:
    for path in site.photos:
        site.acts[path] = [say(503)] * 50
    manners = dataclasses.replace(HURRY, connections=1, most_failures=5)
    state = get(archive, tmp_path / "data", named, manners)
    assert state.given_up == (("127.0.0.1", "says that it is too busy, 5 times in a row"),)
    assert len(site.asked) == 5


# What does not come


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (say(404), "answered with the status 404"),
        (say(200, b"<html><body>Not here any more</body></html>"), "what came is not a picture"),
        (say(200, b""), "what came is empty"),
        (say(200, photo(1)[:-700]), "what came looks like JPEG but is truncated"),
        (say(200, bytes(100_001)), "more than 100,000 bytes"),
        (say(200, encode(Image.new("RGB", (8, 8)), "PNG")), "what came is 8x8"),
    ],
)  # fmt: skip
def test_what_is_no_photo_is_told_and_stops_nothing(
    act: Act, reason: str, site: PhotoSite, archive: Path, named: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    site.acts["/2"] = [act]
    state = get(archive, folder, named)
    assert (state.there, state.failed) == (5, 1)
    told, again = reasons(folder)["2"]
    assert told.startswith(reason)
    assert again == "no"
    assert is_whole(folder, site)
    site.asked.clear()
    assert get(archive, folder, named).failed == 1
    assert site.asked == []


def test_failures_are_tried_again_once_their_table_is_gone(
    site: PhotoSite, archive: Path, named: Settings, tmp_path: Path
) -> None:
    site.acts["/2"] = [say(410)]
    get(archive, tmp_path / "data", named)
    (tmp_path / "data" / "failures.csv").unlink()
    assert get(archive, tmp_path / "data", named).there == 6


def test_a_server_in_trouble_is_tried_again_now_and_by_the_next_call(
    site: PhotoSite, archive: Path, named: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    site.acts["/1"] = [say(500), say(502)]
    site.acts["/2"] = [say(500)] * 3
    state = get(archive, folder, named)
    assert (state.there, state.failed) == (5, 1)
    assert reasons(folder) == {"2": ("answered with the status 500", "yes")}
    assert get(archive, folder, named).there == 6
    assert reasons(folder) == {}


def test_a_silent_server_is_not_waited_for(
    site: PhotoSite, archive: Path, named: Settings, tmp_path: Path
) -> None:
    site.acts["/2"] = [say_nothing] * 2
    manners = dataclasses.replace(HURRY, seconds=1, tries=2)
    assert get(archive, tmp_path / "data", named, manners).there == 5
    assert reasons(tmp_path / "data") == {"2": ("not there within 1 seconds", "yes")}


def test_a_host_that_is_not_there_is_given_up_after_some_tries(
    site: PhotoSite, named: Settings, tmp_path: Path
) -> None:
    addresses = [f"http://127.0.0.1:1/{number}" for number in range(50)]
    addresses.append(site.address("/1", "localhost"))
    settings = dataclasses.replace(
        named, url_private_hosts=(*named.url_private_hosts, "127.0.0.1:1")
    )
    manners = dataclasses.replace(HURRY, most_failures=6, tries=2, connections=1)
    state = get(archive_of(addresses, tmp_path), tmp_path / "data", settings, manners)
    assert state.given_up == (("127.0.0.1", "does not answer, 6 times in a row"),)
    assert state.there == 1
    assert set(reasons(tmp_path / "data").values()) <= {("cannot be reached", "yes")}


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/1",
        "file:///etc/passwd",
        "http://169.254.169.254/",
        "urn:uuid:1",
        "x",
    ],
)
def test_an_address_that_must_not_be_asked_is_not_asked(
    address: str, site: PhotoSite, settings: Settings, tmp_path: Path
) -> None:
    archive = archive_of([address.format(port=site.port)], tmp_path)
    state = get(archive, tmp_path / "data", settings)
    assert (state.there, state.failed) == (0, 1)
    (row,) = rows(tmp_path / "data", "failures.csv")
    assert row["reason"].startswith("not asked: the address is not public")
    assert site.asked == []


# The folder


def test_another_table_is_left_as_it_is(archive: Path, named: Settings, tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("path,label\na.jpg,Bellis perennis\n")
    with pytest.raises(DatasetError, match=r"photos\.csv is there, and is not the table"):
        get(archive, tmp_path, named)
    assert (tmp_path / "photos.csv").read_text() == "path,label\na.jpg,Bellis perennis\n"
    assert not list(tmp_path.glob("*.partial"))


def test_a_folder_has_one_download_at_a_time(
    archive: Path, named: Settings, tmp_path: Path
) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(DatasetError, match="written by another process"):
        get(archive, tmp_path, named)
    os.close(descriptor)


def test_a_folder_that_cannot_be_written_is_told(
    site: PhotoSite, archive: Path, named: Settings, tmp_path: Path
) -> None:
    (tmp_path / "photos").write_text("a file in the way")
    with pytest.raises(DatasetError, match=r"cannot be written: .* the same command goes on"):
        get(archive, tmp_path, named)
    (tmp_path / "photos").unlink()
    assert get(archive, tmp_path, named).there == 6


def test_a_fault_of_the_archive_ends_the_download_with_its_line(
    site: PhotoSite, named: Settings, tmp_path: Path
) -> None:
    archive = write_archive(
        tmp_path / "archive",
        [{"gbifID": "1", "species": SPECIES[0]}],
        [{"gbifID": "1", "identifier": site.address("/1")}],
    )
    read = read_archive(archive, {})
    with (archive / "multimedia.txt").open("a") as file:
        file.write("1\tcut\n")
    with pytest.raises(DatasetError, match=r"multimedia\.txt, line 3: there are 2 fields"):
        download_photos(read, tmp_path / "data", named, manners=HURRY)


def test_progress_is_told_up_to_the_end(archive: Path, named: Settings, tmp_path: Path) -> None:
    told: list[DownloadState] = []
    download_photos(
        read_archive(archive, {}), tmp_path / "data", named, progress=told.append, manners=HURRY
    )
    assert [state.there for state in told] == sorted(state.there for state in told)
    assert told[-1].there == told[-1].total == 6
