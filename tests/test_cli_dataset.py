"""``plant-classification dataset``: what a person sees before a training, and photos for one."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from darwin_core_archives import write_archive
from drawn_dataset import blocks, write_photos
from drawn_photos import encode
from site_of_photos import PhotoSite, say, serving

from plant_classification.cli import cli, main

Run = Callable[..., Result]

ONE_PHOTO = (
    [{"gbifID": "1", "species": "Bellis perennis"}],
    [{"gbifID": "1", "identifier": "https://photos.example/1"}],
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "100")

    def command(*words: str | Path) -> Result:
        return CliRunner().invoke(cli, ["dataset", *map(str, words)])

    return command


@pytest.fixture
def garden(tmp_path: Path) -> Path:
    """A folder for each of two species, with splits; a photo is cut, and one stands twice."""
    folder = tmp_path / "garden"
    write_photos(folder / "train" / "Bellis perennis", 12)
    write_photos(folder / "train" / "Quercus ilex", 3, first=20)
    write_photos(folder / "val" / "Quercus ilex", 1, first=30)
    (folder / "val" / "Quercus ilex" / "again.png").write_bytes(encode(blocks(20), "PNG"))
    (folder / "train" / "Quercus ilex" / "cut\x1b[31m.jpeg").write_bytes(b"\xff\xd8\xff\xe0")
    return folder


# show


def test_a_data_set_is_described(run: Run, garden: Path) -> None:
    result = run("show", garden)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith(str(garden))
    assert lines[1] == "2 labels (2 species), of 2 genera and 2 families."
    assert ["train", "16", "2", "0"] in [line.split() for line in lines]
    assert ["val", "2", "1", "1"] in [line.split() for line in lines]
    assert "Width: 96 pixels" in lines
    assert "Formats: JPEG 16, PNG 1" in lines
    (bar,) = [line for line in lines if line.lstrip().startswith("10-29")]
    assert "█" in bar
    assert bar.endswith("1 labels")
    assert "Most: Bellis perennis 12, Quercus ilex 4" in lines


def test_what_is_wrong_is_listed_without_steering_the_terminal(run: Run, garden: Path) -> None:
    lines = run("show", garden).stdout.splitlines()
    twins = lines[lines.index("In several splits:") + 1]
    assert "train train/Quercus ilex/20.jpeg (Quercus ilex) = val" in twins
    damaged = lines[lines.index("Cannot be read:") + 1]
    assert damaged.startswith("  train/Quercus ilex/cut\N{REPLACEMENT CHARACTER}[31m.jpeg: ")
    assert "Watch: Photos that cannot be read: 1; training leaves them out." in lines
    assert "\x1b" not in "".join(lines)


def test_a_report_is_written_where_it_is_asked_for(run: Run, garden: Path, tmp_path: Path) -> None:
    result = run("show", garden, "--report", tmp_path / "report.html")
    assert result.exit_code == 0
    assert f"Report: {tmp_path / 'report.html'}" in result.stdout
    assert "Contact sheet" in (tmp_path / "report.html").read_text("utf-8")


def test_the_folder_of_photos_can_be_named(run: Run, tmp_path: Path) -> None:
    names = write_photos(tmp_path / "elsewhere", 6)
    (tmp_path / "classes.txt").write_text("Bellis perennis\n")
    for split, some in (("train", names[:4]), ("val", names[4:])):
        (tmp_path / f"{split}.txt").write_text("".join(f"{name} 0\n" for name in some))
    result = run("show", tmp_path, "--images", "elsewhere")
    assert result.exit_code == 0
    assert "Formats: JPEG 6" in result.stdout


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda _: None, "does not exist"),
        (lambda path: path.mkdir(), "is no data set. One would be"),
        (lambda path: write_archive(path, *ONE_PHOTO), "plant-classification dataset download"),
    ],
)
def test_what_is_no_data_set_is_told_in_a_line(
    made: Callable[[Path], object],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made(tmp_path / "data")
    monkeypatch.setattr(
        "sys.argv", ["plant-classification", "dataset", "show", str(tmp_path / "data")]
    )
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: ")
    assert words in said
    assert said.count("\n") == 1


# download


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoSite]:
    with serving() as served:
        monkeypatch.setenv("PLANT_CLASSIFICATION_URL_PRIVATE_HOSTS", f"[{served.pair!r}]")
        for number in range(8):
            served.photos[f"/{number}"] = encode(blocks(number), "JPEG")
        yield served


@pytest.fixture
def archive(site: PhotoSite, tmp_path: Path) -> Path:
    species = ("Bellis perennis", "Quercus ilex")
    occurrences = [{"gbifID": str(number), "species": species[number % 2]} for number in range(4)]
    media = [
        {
            "gbifID": str(number % 4),
            "identifier": site.address(path),
            "license": "CC BY",
            "title": "leaf",
        }
        for number, path in enumerate(site.photos)
    ]
    return write_archive(tmp_path / "archive.zip", occurrences, media)


def test_an_archive_becomes_a_data_set_that_is_read(
    run: Run, archive: Path, tmp_path: Path
) -> None:
    result = run("download", archive, tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [f"8 of 8 photos are in {tmp_path / 'data'}"]
    result = run("show", tmp_path / "data")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].endswith("a table")
    assert "Organs: leaf 8" in lines
    assert "Observations: 4" in lines
    assert "Sources: 127.0.0.1 8" in lines


def test_photos_may_be_downloaded_into_the_folder_of_the_archive(
    run: Run, archive: Path, tmp_path: Path, site: PhotoSite
) -> None:
    folder = write_archive(
        tmp_path / "folder",
        [{"gbifID": str(number), "species": "Bellis perennis"} for number in range(2)],
        [{"gbifID": str(number), "identifier": site.address(f"/{number}")} for number in range(2)],
    )
    assert run("show", folder).exit_code == 1
    assert run("download", folder, folder).exit_code == 0
    result = run("show", folder)
    assert result.exit_code == 0, result.output
    assert "Formats: JPEG 2" in result.stdout


def test_photos_that_did_not_come_are_counted_and_told_where(
    run: Run, archive: Path, site: PhotoSite, tmp_path: Path
) -> None:
    site.acts["/3"] = [say(404)]
    result = run("download", archive, tmp_path / "data")
    assert result.exit_code == 0
    failures = tmp_path / "data" / "failures.csv"
    assert result.stdout.splitlines() == [
        f"7 of 8 photos are in {tmp_path / 'data'}",
        f"1 did not come: {failures} says why.",
    ]
    with failures.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["reason"] == "answered with the status 404"


def test_a_host_that_is_given_up_is_an_error(
    run: Run, archive: Path, site: PhotoSite, tmp_path: Path
) -> None:
    for path in site.photos:
        site.acts[path] = [say(429, Retry_After="99999")]
    result = run("download", archive, tmp_path / "data")
    assert result.exit_code == 1
    assert (
        "Error: 127.0.0.1 asks to wait for 99,999 seconds; give the same command" in result.stderr
    )
    site.acts.clear()
    assert run("download", archive, tmp_path / "data").exit_code == 0


def test_help_names_both_commands(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "download" in result.stdout
    assert "show" in result.stdout
