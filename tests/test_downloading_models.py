"""``models import`` and ``models download``: the commands, with archives from a real server."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from legacy_folders import write_legacy_folder
from site_of_one_file import Site, answer, break_off, serving

from plant_classification import Answer
from plant_classification.cli import cli
from plant_classification.errors import DownloadError, ModelFolderError
from plant_classification.models.choosing import STARTER_FOLDER

Run = Callable[..., Result]


def packed(**folders: Path) -> bytes:
    """A .tar.gz of these folders."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as archive:
        for name, folder in folders.items():
            archive.add(folder, name.replace("__", "/"))
    return content.getvalue()


@pytest.fixture(scope="module")
def starter_archive() -> bytes:
    return packed(plants__first=STARTER_FOLDER)


@pytest.fixture
def site(starter_archive: bytes) -> Iterator[Site]:
    with serving(starter_archive) as served:
        yield served


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def run(models: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command; the settings name the server's archive ``plants``."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("PLANT_CLASSIFICATION_MODELS_DIR", str(models))
    sources = json.dumps({"plants": site.address})
    monkeypatch.setenv("PLANT_CLASSIFICATION_MODEL_SOURCES", sources)

    def command(*words: str | Path) -> Result:
        return CliRunner().invoke(cli, [str(word) for word in words])

    return command


def digest(site: Site) -> str:
    return hashlib.sha256(site.content).hexdigest()


def names(models: Path) -> list[str]:
    return sorted(path.name for path in models.iterdir())


def test_an_archive_is_fetched_by_its_name_checked_and_served_under_it(
    run: Run, site: Site, models: Path, flower: Path, named: Answer
) -> None:
    result = run("models", "download", "plants", "--sha256", digest(site))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"plants: efficientnet_lite1, 119 labels, in {models / 'plants'}\n"
    assert names(models) == ["plants"]
    assert named.candidates[0].label.name in run("identify", flower, "--model", "plants").stdout


def test_by_address_a_model_keeps_its_folders_name(run: Run, site: Site, models: Path) -> None:
    result = run("models", "download", site.address, "--sha256", digest(site).upper())
    assert result.exit_code == 0, result.output
    assert names(models) == ["first"]


def test_what_broke_off_goes_on(run: Run, site: Site, models: Path) -> None:
    site.acts = [break_off(100_000), answer(404)]
    words = ("models", "download", "plants", "--sha256", digest(site))
    broken = run(*words)
    assert isinstance(broken.exception, DownloadError)
    assert "404" in str(broken.exception)
    assert run(*words).exit_code == 0
    assert site.ranges == [None, "bytes=100000-", "bytes=100000-"]
    assert names(models) == ["plants"]


def test_another_archive_than_expected_leaves_nothing(run: Run, models: Path) -> None:
    result = run("models", "download", "plants", "--sha256", "0" * 64)
    assert isinstance(result.exception, DownloadError)
    assert "its SHA-256 is" in str(result.exception)
    assert [path for path in models.rglob("*") if path.is_file()] == []


def test_without_a_checksum_https_is_asked_for(run: Run, models: Path, site: Site) -> None:
    result = run("models", "download", "plants")
    assert isinstance(result.exception, DownloadError)
    assert "--sha256" in str(result.exception) or "SHA-256" in str(result.exception)
    assert site.asked == []


def test_a_name_that_is_no_source_is_refused_with_those_that_are(run: Run) -> None:
    result = run("models", "download", "plantnet2")
    assert "no source of models 'plantnet2'; there are: plants" in str(result.exception)


def test_a_models_folder_that_cannot_be_written_is_a_sentence(
    run: Run, site: Site, models: Path
) -> None:
    models.write_text("no folder")
    for words in (("download", "plants", "--sha256", digest(site)), ("import", STARTER_FOLDER)):
        result = run("models", *words, "--name", "mine")
        assert isinstance(result.exception, ModelFolderError), result.exception
        assert str(models) in str(result.exception)


def test_a_name_that_is_taken_is_refused_before_anything_is_fetched(
    run: Run, site: Site, models: Path
) -> None:
    shutil.copytree(STARTER_FOLDER, models / "plants")
    result = run("models", "download", "plants", "--sha256", digest(site))
    assert "There is a model 'plants' already" in str(result.exception)
    assert site.asked == []


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: packed(notes=folder / "card.md"), "holds no model folder"),
        (lambda folder: packed(a=folder, b=folder), r"holds 2 models \(a, b\)"),
        (lambda folder: folder.name.encode(), "archive"),
        (lambda folder: packed(**{"..__out": folder}), r"\.\./out"),
    ],
    ids=["no model", "two models", "no archive", "out of the folder"],
)
def test_an_archive_that_cannot_be_used_leaves_nothing(
    run: Run, site: Site, models: Path, make: Callable[[Path], bytes], sentence: str
) -> None:
    site.content = make(STARTER_FOLDER)
    result = run("models", "download", "plants", "--sha256", digest(site))
    assert isinstance(result.exception, ModelFolderError)
    with pytest.raises(ModelFolderError, match=sentence):
        raise result.exception
    assert list(models.iterdir()) == []


def test_several_models_of_one_archive_keep_their_names(run: Run, site: Site, models: Path) -> None:
    site.content = packed(a=STARTER_FOLDER, b=STARTER_FOLDER)
    result = run("models", "download", site.address, "--sha256", digest(site))
    assert result.exit_code == 0, result.output
    assert names(models) == ["a", "b"]


@pytest.mark.xdist_group("old service")
def test_an_archive_of_the_old_service_is_converted_or_kept_until_it_can_be(
    run: Run, site: Site, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_legacy_folder(tmp_path / "old", labels=["Bellis perennis", "Planta nova", "Planta nova"])
    site.content = packed(models__old=tmp_path / "old")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "tensorflow", None)
        kept = run("models", "download", "plants", "--sha256", digest(site))
    assert kept.exit_code == 0, kept.output
    assert "needs TensorFlow: pip install 'plant-classification" in kept.stdout
    assert (models / "plants/ckpts/final_model.h5").exists()
    words = ("models", "download", "plants", "--sha256", digest(site), "--name", "new")
    converted = run(*words)
    assert converted.exit_code == 0, converted.output
    assert "Planta nova (2 times)" in converted.stdout
    assert "Labels without a family (2 of 3): Planta nova" in converted.stdout
    assert (models / "new/network.xml").exists()
    assert names(models) == ["new", "plants"]
    listed = run("models", "list").stdout
    assert listed.count("mobilenet") == 2
    assert "Note: Labels without a family" in run("models", "show", "plants").stdout
