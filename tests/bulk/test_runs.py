"""A run over many photos: a row for each, nothing twice, nothing lost, whatever happens."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_network import write_tiny_model

from plant_classification import Classifier
from plant_classification.bulk import parts
from plant_classification.bulk.darwin_core import TERMS
from plant_classification.bulk.journal import Journal
from plant_classification.bulk.observations import Grouping, Observation
from plant_classification.bulk.parts import Part
from plant_classification.bulk.rows import COLUMNS
from plant_classification.bulk.run import Done, Job, run
from plant_classification.errors import ArgumentError
from plant_classification.files import locked
from plant_classification.models import ModelFolder, read_model_folder
from plant_classification.question import Question
from plant_classification.settings import Settings, load_settings

pq = pytest.importorskip("pyarrow.parquet")
PHOTOS = 60
GOOD_BAD_OTHER = (("Rosa canina", None), (None, "no answer"), ("Viola odorata", None))
BEGUN = """
import sys
from plant_classification.bulk import parts
from plant_classification.cli import main
parts.MEAN = 4
main()
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "tiny")
    return folder


@pytest.fixture(scope="module")
def garden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty photos in folders of six."""
    folder = tmp_path_factory.mktemp("garden")
    for place in range(PHOTOS):
        (folder / f"bed{place // 6}").mkdir(exist_ok=True)
        pixels = np.random.default_rng(place).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"bed{place // 6}/{place:02}.png")
    return folder


@pytest.fixture
def own(garden: Path, tmp_path: Path) -> Path:
    """The same photos, to be changed."""
    return Path(shutil.copytree(garden, tmp_path / "own"))


@pytest.fixture(scope="module")
def settings(models: Path) -> Settings:
    return load_settings(models_dir=models)


@pytest.fixture(scope="module")
def model(models: Path) -> ModelFolder:
    return read_model_folder(models / "tiny")


@pytest.fixture(scope="module")
def classifier(settings: Settings) -> Classifier:
    return Classifier.load("tiny", settings=settings)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MEAN", 2)


Runs = Callable[..., Done]


@pytest.fixture
def runs(model: ModelFolder, settings: Settings, tmp_path: Path) -> Runs:
    """Run over places into a table, ``t.jsonl`` by default, with some fields of a question."""

    def of(*places: Path | str, out: str = "t.jsonl", **asked: Any) -> Done:
        own = {field.name for field in dataclasses.fields(Job)}
        fields = {name: asked.pop(name) for name in own & asked.keys()}
        names = tuple(str(place) for place in places)
        grouping = Grouping(asked.pop("by", None))
        job = Job(names, grouping, Question(**asked), tmp_path / out, **fields)
        return run(job, model, settings)

    return of


def rows(table: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in table.read_text("utf-8").splitlines()]


def test_each_photo_has_its_row_which_says_what_one_answer_says(
    runs: Runs, classifier: Classifier, garden: Path, tmp_path: Path
) -> None:
    assert runs(garden) == Done(PHOTOS, 0, 0)
    found = rows(tmp_path / "t.jsonl")
    assert [row["observation"] for row in found] == sorted(map(str, garden.glob("*/*.png")))
    for row in found[::20]:
        assert list(row) == list(COLUMNS)
        answer = classifier.identify(row["photos"][0]).to_dict()
        assert row["labels"] == answer["labels"]
        assert row["probabilities"] == pytest.approx(answer["probabilities"], abs=1e-6)
        safe = answer["safe_answer"]
        assert [row[name] for name in ("name", "rank", "confidence")] == [
            safe[name] for name in ("name", "rank", "confidence")
        ]
        assert row["sha256"] == [answer["photos"][0]["sha256"]]
        assert (row["model"], row["version"]) == ("tiny", answer["model"]["version"])


def test_genus_and_family_are_those_of_the_safe_answer(
    runs: Runs, garden: Path, tmp_path: Path
) -> None:
    runs(garden, confidence=0.01)
    families = {"Rosa canina": ("Rosa", "Rosaceae"), "Viola odorata": ("Viola", "Violaceae")}
    for row in rows(tmp_path / "t.jsonl"):
        assert row["rank"] == "species"
        assert (row["genus"], row["family"]) == families[row["name"]]


def test_a_photo_that_cannot_be_read_is_a_row_with_its_error(
    runs: Runs, own: Path, tmp_path: Path
) -> None:
    (own / "bed0/00.png").write_bytes(b"no photo")
    (own / "bed9/empty.jpg").touch()
    (own / "bed9/gone.jpg").symlink_to("nowhere")
    assert runs(own) == Done(PHOTOS + 2, 0, 3)
    errors = {
        Path(row["observation"]).name: row for row in rows(tmp_path / "t.jsonl") if row["error"]
    }
    assert errors.keys() == {"00.png", "empty.jpg", "gone.jpg"}
    assert "gone.jpg does not exist" in errors["gone.jpg"]["error"]
    assert errors["00.png"]["labels"] == []


def test_photos_of_a_folder_are_answered_together_the_first_five_of_them(
    runs: Runs, classifier: Classifier, garden: Path, tmp_path: Path
) -> None:
    assert runs(garden, by="folder").rows == PHOTOS // 6
    row = rows(tmp_path / "t.jsonl")[0]
    assert row["warnings"] == ["Only the first 5 of 6 photos were seen."]
    answer = classifier.identify(row["photos"][:5])
    assert row["probabilities"][0] == pytest.approx(answer.candidates[0].probability, abs=1e-6)
    assert len(row["sha256"]) == 5


def test_answers_without_a_table_are_of_the_first_five_too(
    command: list[str], garden: Path
) -> None:
    words = [*command[: command.index("--out")], "--json", "--by", "folder", str(garden)]
    ran = subprocess.run(words, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [len(answer["photos"]) for answer in answers] == [5] * (PHOTOS // 6)
    assert "Only the first 5 of 6 photos were seen." in answers[0]["warnings"]


def test_ten_thousand_empty_files_are_rows(runs: Runs, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    for place in range(10_000):
        (folder / f"{place}.jpg").touch()
    assert runs(folder) == Done(10_000, 0, 10_000)


def test_a_second_run_answers_nothing_again(runs: Runs, garden: Path, tmp_path: Path) -> None:
    runs(garden)
    before = (tmp_path / "t.jsonl").read_bytes()
    assert runs(garden) == Done(PHOTOS, PHOTOS, 0)
    assert (tmp_path / "t.jsonl").read_bytes() == before


def test_a_changed_a_new_and_a_deleted_photo_change_their_rows_alone(
    runs: Runs, own: Path, tmp_path: Path
) -> None:
    runs(own)
    before = {row["observation"]: row for row in rows(tmp_path / "t.jsonl")}
    shutil.copy(own / "bed0/01.png", own / "bed0/00.png")
    shutil.copy(own / "bed0/01.png", own / "bed5/new.png")
    (own / "bed9/59.png").unlink()
    done = runs(own)
    assert done.rows == PHOTOS
    assert 0 < done.kept < PHOTOS
    after = {row["observation"]: row for row in rows(tmp_path / "t.jsonl")}
    assert before.keys() - after.keys() == {str(own / "bed9/59.png")}
    assert after.keys() - before.keys() == {str(own / "bed5/new.png")}
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    assert changed == {str(own / "bed0/00.png")}


def test_a_file_with_another_time_is_seen_again_unless_its_content_counts(
    runs: Runs, own: Path
) -> None:
    for strict, out in ((False, "t.jsonl"), (True, "s.jsonl")):
        runs(own, out=out, strict=strict)
        os.utime(own / "bed0/00.png", (1, 1 + strict))
        assert (runs(own, out=out, strict=strict).kept < PHOTOS) is not strict


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"top_k": 1}, "top_k was 5, and is 1"),
        ({"crops": 5}, "crops was 1, and is 5"),
        ({"by": "folder"}, "by was None, and is 'folder'"),
        ({"strict": True}, "strict was False, and is True"),
        ({"species_list": "garden"}, "species_list was None, and is 'garden "),
    ],
)
def test_another_question_is_refused_with_the_difference(
    runs: Runs, garden: Path, tmp_path: Path, models: Path, changed: dict[str, Any], said: str
) -> None:
    (models / "garden.txt").write_text("Rosa canina\n")
    runs(garden)
    before = (tmp_path / "t.jsonl").read_bytes()
    with pytest.raises(ArgumentError, match=f"begun otherwise.*: {said}"):
        runs(garden, **changed)
    assert (tmp_path / "t.jsonl").read_bytes() == before


def test_a_species_list_or_a_prior_that_was_changed_is_another_question(
    runs: Runs, garden: Path, models: Path
) -> None:
    (models / "park.txt").write_text("Rosa canina\n")
    runs(garden, species_list="park")
    (models / "park.txt").write_text("Viola odorata\n")
    with pytest.raises(ArgumentError, match=r"species_list was 'park .*, and is 'park "):
        runs(garden, species_list="park")
    runs(garden, out="p.jsonl")
    (models / "prior.csv").write_text("species,weight\nRosa canina,3\n")
    try:
        with pytest.raises(ArgumentError, match="prior was None"):
            runs(garden, out="p.jsonl")
    finally:
        (models / "prior.csv").unlink()


def test_a_table_with_other_columns_is_not_gone_on_with(
    runs: Runs, garden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as changed:
        changed.delitem(COLUMNS, "sha256")
        runs(garden)
    with pytest.raises(ArgumentError, match="columns was 'observation photos name"):
        runs(garden)


def test_a_table_of_other_photos_is_not_replaced(runs: Runs, garden: Path, own: Path) -> None:
    runs(garden)
    with pytest.raises(ArgumentError, match="holds the rows of other photos"):
        runs(own)
    assert runs(garden, own).kept > PHOTOS / 2  # more photos are no others


def test_nothing_that_is_found_is_no_table(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(ArgumentError, match=r"No photo was found in .*none"):
        runs(tmp_path / "none")
    assert not (tmp_path / "t.jsonl").exists()


def test_a_question_that_failed_is_forgotten(runs: Runs, garden: Path) -> None:
    with pytest.raises(ArgumentError, match="There is no species list"):
        runs(garden, species_list="nowhere")
    assert runs(garden).rows == PHOTOS


def test_what_may_pass_is_done_again_and_what_is_no_photo_is_not(
    runs: Runs, own: Path, tmp_path: Path
) -> None:
    (own / "bed0/00.png").write_bytes(b"no photo")
    assert runs(own).errors == 1
    assert runs(own) == Done(PHOTOS, PHOTOS, 1)
    listed = tmp_path / "list.csv"
    listed.write_text(f"path\n{own}/bed1/06.png\n{own}/later.png\n")
    assert runs(listed, out="l.jsonl").errors == 1
    shutil.copy(own / "bed1/06.png", own / "later.png")
    os.utime(own / "later.png", (1, 1))
    done = runs(listed, out="l.jsonl")
    assert (done.rows, done.errors) == (2, 0)


def test_a_server_that_comes_back_is_asked_again_and_nothing_beside_it(
    runs: Runs, garden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MEAN", 10**9)
    listed = tmp_path / "list.csv"
    photos = list(map(str, sorted(garden.glob("*/*.png"))[:5]))
    lines = [*photos[:2], "https://127.0.0.1:9/1.jpg", *photos[2:], "http://127.0.0.1:9/2.jpg"]
    listed.write_text("\n".join(["photo", *lines]))
    for kept in (0, 5, 5):
        assert runs(listed) == Done(7, kept, 2)
        assert [row["observation"] for row in rows(tmp_path / "t.jsonl")] == lines


def test_rows_of_one_photo_twice_in_a_part_keep_their_own(tmp_path: Path) -> None:
    twice = Observation("a", ("a.jpg",))
    part = Part("abc", (twice, twice, Observation("b", ("b.jpg",))), (0, 1, 2), 3)
    good, bad, other = ({"name": name, "error": error} for name, error in GOOD_BAD_OTHER)
    journal = Journal(tmp_path)
    journal.write(part, [good, bad, other], is_final=False)
    assert journal.kept("abc", 3) == [good, None, other]
    left = part.left([True, False, True])
    assert left.observations == (twice,)
    journal.write(left, [bad], is_final=False)
    assert list(journal.rows("abc")) == [good, bad, other]
    journal.write(left, [good], is_final=True)
    assert journal.kept("abc", 3) == list(journal.rows("abc")) == [good, good, other]


@pytest.mark.parametrize("end", [".jsonl", ".again.jsonl"])
def test_a_part_with_a_row_too_many_is_done_anew(tmp_path: Path, end: str) -> None:
    part = Part("abc", (Observation("a", ("a.jpg",)),), (0,), 1)
    journal = Journal(tmp_path)
    row = {"name": "Rosa canina", "error": None}
    journal.write(part, [row], is_final=end == ".jsonl")
    file = tmp_path / "ab" / f"abc{end}"
    file.write_text(2 * file.read_text())
    assert journal.kept("abc", 1) == [None]
    journal.write(part, [row], is_final=True)
    assert journal.kept("abc", 1) == list(journal.rows("abc")) == [row]


def test_photos_that_were_named_and_taken_away_do_not_end_a_run_that_goes_on(
    runs: Runs, own: Path, tmp_path: Path
) -> None:
    places = [own / "bed0/00.png", own / "bed0/01.png"]
    runs(*places)
    places[1].unlink()
    assert runs(*places).errors == 1
    with pytest.raises(ArgumentError, match=r"01\.png does not exist"):
        runs(*places, out="new.jsonl")


def test_a_folder_that_is_gone_is_told_and_its_rows_stay(
    runs: Runs, own: Path, tmp_path: Path
) -> None:
    runs(own / "bed0", own / "bed1")
    before = (tmp_path / "t.jsonl").read_bytes()
    shutil.rmtree(own / "bed1")
    with pytest.raises(ArgumentError, match=r"bed1 does not exist\."):
        runs(own / "bed0", own / "bed1")
    assert (tmp_path / "t.jsonl").read_bytes() == before


@pytest.mark.parametrize("content", ["", '{"a":', "\n"])
def test_a_damaged_part_is_done_again(
    runs: Runs, garden: Path, tmp_path: Path, content: str
) -> None:
    runs(garden)
    before = (tmp_path / "t.jsonl").read_bytes()
    part = next((tmp_path / "t.jsonl.parts").glob("*/*.jsonl"))
    part.write_text(content)
    assert runs(garden).kept < PHOTOS
    assert (tmp_path / "t.jsonl").read_bytes() == before


def test_a_damaged_journal_is_told(runs: Runs, garden: Path, tmp_path: Path) -> None:
    runs(garden)
    (tmp_path / "t.jsonl.parts/run.json").write_text("")
    with pytest.raises(ArgumentError, match=r"run\.json is damaged: remove"):
        runs(garden)


def test_a_list_that_changes_meanwhile_ends_the_run(
    model: ModelFolder, settings: Settings, garden: Path, models: Path, tmp_path: Path
) -> None:
    (models / "moving.txt").write_text("Rosa canina\n")
    job = Job(("-",), Grouping(), Question(species_list="moving"), tmp_path / "t.jsonl")
    photos = sorted(map(str, garden.glob("*/*.png")))

    def lines() -> Iterator[str]:
        yield from photos[:20]
        (models / "moving.txt").write_text("Viola odorata\n")
        yield from photos[20:]

    with pytest.raises(ArgumentError, match="was changed while the run went on"):
        run(job, model, settings, lines())
    assert not (tmp_path / "t.jsonl").exists()
    (models / "moving.txt").write_text("Rosa canina\n")
    run(job, model, settings, photos)
    assert {row["labels"][0] for row in rows(job.out)} == {"Rosa canina"}


def test_files_of_others_stay_and_a_link_is_written_through(
    runs: Runs, garden: Path, tmp_path: Path
) -> None:
    other = tmp_path / "t.jsonl.other.jsonl.12345678.partial"
    other.touch()
    left = tmp_path / "t.jsonl.0123abcd.partial"
    left.touch()
    runs(garden)
    assert other.exists()
    assert not left.exists()
    (tmp_path / "there").mkdir()
    (tmp_path / "link.jsonl").symlink_to("there/real.jsonl")
    runs(garden, out="link.jsonl")
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "there/real.jsonl").exists()


def test_a_table_without_its_journal_is_not_overwritten(
    runs: Runs, garden: Path, tmp_path: Path
) -> None:
    (tmp_path / "t.jsonl").write_text("mine")
    with pytest.raises(ArgumentError, match=r"t\.jsonl is there already, and t\.jsonl\.parts"):
        runs(garden)
    assert (tmp_path / "t.jsonl").read_text() == "mine"


def test_two_runs_at_once_are_refused(runs: Runs, garden: Path, tmp_path: Path) -> None:
    with (
        locked(tmp_path / "t.jsonl.parts"),
        pytest.raises(ArgumentError, match="Another process is writing"),
    ):
        runs(garden)


def test_what_no_photo_could_be_asked_ends_the_run_and_writes_no_table(
    runs: Runs, garden: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match="There is no species list 'nowhere'"):
        runs(garden, species_list="nowhere")
    assert not (tmp_path / "t.jsonl").exists()


@pytest.mark.parametrize("out", ["t.txt", "nowhere/t.csv", "folder.csv", f"{'x' * 240}.csv"])
def test_a_table_that_cannot_be_is_told_before_a_photo_is_read(
    runs: Runs, garden: Path, tmp_path: Path, out: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(
        ArgumentError, match=r"must end in|is no folder that|is a folder: give|too long a name"
    ):
        runs(garden, out=out)
    assert list(tmp_path.iterdir()) == [tmp_path / "folder.csv"]


def test_all_formats_say_the_same(runs: Runs, own: Path, tmp_path: Path) -> None:
    (own / "bed0/00.png").write_bytes(b"no photo")
    for name in ("t.jsonl", "t.csv", "t.parquet"):
        runs(own, out=name)
    lines = rows(tmp_path / "t.jsonl")
    assert pq.read_table(tmp_path / "t.parquet").to_pylist() == lines
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(lines)
    for fields, row in zip(table, lines, strict=True):
        assert fields["labels"] == "|".join(row["labels"])
        assert fields["name"] == (row["name"] or "")
        assert fields["error"] == (row["error"] or "")
        shares = map(float, filter(None, fields["probabilities"].split("|")))
        assert list(shares) == pytest.approx(row["probabilities"], rel=1e-5)


def test_darwin_core_has_an_identification_for_each_occurrence(
    runs: Runs, own: Path, tmp_path: Path
) -> None:
    (own / "bed0/00.png").write_bytes(b"no photo")
    runs(own, out="t.csv", darwin_core=True, confidence=0.6)
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == list(TERMS)
    assert table[0]["identificationRemarks"].startswith("Not identified: ")
    named = [row for row in table if row["scientificName"]]
    assert named
    for row in named:
        assert row["scientificName"].startswith(row["genus"])
        assert row["taxonRank"] == "species"
        assert "model tiny" in row["identifiedBy"]
        assert row["dateIdentified"].count("-") == 2
        assert row["identificationRemarks"].startswith("Probability 0.")
        assert "are right" not in row["identificationRemarks"]  # this model promises nothing
    unsafe = [row for row in table[1:] if not row["scientificName"]]
    assert all("None: no safe name at 60 %" in row["identificationRemarks"] for row in unsafe)


def test_a_disk_that_gets_full_leaves_the_old_table_and_what_is_done(
    runs: Runs, own: Path, tmp_path: Path
) -> None:
    runs(own, out="t.csv")
    before = (tmp_path / "t.csv").read_bytes()
    shutil.copy(own / "bed0/01.png", own / "bed0/00.png")
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, kept[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            runs(own, out="t.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        signal.signal(signal.SIGXFSZ, previous)
    assert (tmp_path / "t.csv").read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))
    assert runs(own, out="t.csv").kept == PHOTOS


@pytest.fixture
def command(models: Path, tmp_path: Path) -> list[str]:
    words = [sys.executable, "-c", BEGUN, "identify", "--model", "tiny", "--top-k", "2"]
    return [*words, "--models-dir", str(models), "--out", str(tmp_path / "t.jsonl")]


@pytest.mark.slow
def test_a_run_that_is_killed_twenty_times_comes_to_the_same_table(
    command: list[str], garden: Path, tmp_path: Path
) -> None:
    many = tmp_path / "many"
    for turn in range(20):
        shutil.copytree(garden, many / str(turn))
    whole = tmp_path / "whole.jsonl"
    subprocess.run([*command[:-1], str(whole), str(many)], check=True, capture_output=True)
    chance = random.Random(0)
    kept = []
    journal = tmp_path / "t.jsonl.parts"
    for _ in range(20):
        process = subprocess.Popen([*command, str(many)], stderr=subprocess.DEVNULL)
        before = len(list(journal.glob("*/*.jsonl")))
        while process.poll() is None and len(list(journal.glob("*/*.jsonl"))) <= before:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.01))
        process.kill()
        process.wait()
        kept.append(len(list(journal.glob("*/*.jsonl"))))
        if (tmp_path / "t.jsonl").exists():
            break
    assert kept == sorted(kept)
    subprocess.run([*command, str(many)], check=True, capture_output=True)
    assert (tmp_path / "t.jsonl").read_bytes() == whole.read_bytes()
    assert not list(tmp_path.rglob("*.partial*"))


def test_the_command_tells_how_many_there_are_and_reads_a_list(
    command: list[str], garden: Path, tmp_path: Path
) -> None:
    photos = sorted(map(str, garden.glob("bed1/*.png")))
    listed = "\n".join([*photos, str(tmp_path / "nowhere.jpg")])
    ran = subprocess.run([*command, "-"], check=False, input=listed, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.endswith("t.jsonl: 7 rows; 1 with an error, told in its column.\n")
    assert [row["observation"] for row in rows(tmp_path / "t.jsonl")][:6] == photos


def test_names_that_are_no_utf8_or_too_long_are_rows(
    command: list[str], garden: Path, tmp_path: Path
) -> None:
    photo = next(garden.glob("bed1/*.png"))
    odd = tmp_path / os.fsdecode(b"\xff.png")
    shutil.copy(photo, odd)
    listed = b"\n".join([os.fsencode(odd), b"x" * 5000 + b".png", os.fsencode(photo)])
    ran = subprocess.run([*command, "-"], check=False, input=listed, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    first, long, last = rows(tmp_path / "t.jsonl")
    assert first["observation"].endswith("\\xff.png")
    assert first["labels"] == last["labels"]
    assert first["sha256"] == last["sha256"]
    assert "File name too long" in long["error"]


def test_a_name_that_is_too_long_is_told(command: list[str]) -> None:
    ran = subprocess.run([*command, "x" * 5000], check=False, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.startswith("Error: xxx")
    assert ran.stderr.endswith("x does not exist.\n")


def test_json_is_for_answers_and_not_for_tables(command: list[str], garden: Path) -> None:
    words = [*command, "--json", str(garden)]
    ran = subprocess.run(words, check=False, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "give --out FILE.jsonl" in ran.stderr
