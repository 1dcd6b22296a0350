"""The package as a whole: its names, its errors, its imports and its wheel."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import plant_classification
from plant_classification.errors import PlantClassificationError
from plant_classification.files import locked

CHECKOUT = Path(__file__).parents[1]
PHOTO = CHECKOUT / "docs" / "dahlia.jpg"


def subclasses(kind: type[PlantClassificationError]) -> Iterator[type[PlantClassificationError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from subclasses(child)


def errors_of_the_package() -> list[type[PlantClassificationError]]:
    return [
        kind
        for kind in subclasses(PlantClassificationError)
        if kind.__module__ == "plant_classification.errors"
    ]


@pytest.mark.parametrize("kind", errors_of_the_package(), ids=lambda kind: kind.__name__)
def test_every_error_survives_the_way_to_another_process(
    kind: type[PlantClassificationError],
) -> None:
    error = kind("dahlia.jpg is cut short; send it again.", field="data2")
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(arrived) is kind
    assert str(arrived) == arrived.message == "dahlia.jpg is cut short; send it again."
    assert arrived.field == "data2"
    assert (arrived.status, arrived.retry_after) == (kind.status, kind.retry_after)


def test_the_public_names() -> None:
    assert plant_classification.__all__ == [
        "Answer",
        "Classifier",
        "PlantClassificationError",
        "Settings",
        "load_settings",
    ]


@pytest.mark.parametrize("name", plant_classification.__all__)
def test_every_public_name_is_there_and_described(name: str) -> None:
    assert getattr(plant_classification, name).__doc__


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="Clasifier"):
        plant_classification.Clasifier  # noqa: B018


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import json, sys, plant_classification; print(json.dumps(list(sys.modules)))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", program]))
    heavy = {"PIL", "deepaas", "numpy", "openvino", "requests", "rich", "tensorflow", "yaml"}
    assert heavy.isdisjoint(name.partition(".")[0] for name in loaded)


def test_naming_a_plant_loads_no_reader_of_tables_and_not_openvinos_converter(flower: Path) -> None:
    program = (
        "import atexit, sys; from plant_classification.cli import main;"
        "atexit.register(lambda: print(*sys.modules)); main()"
    )
    command = [sys.executable, "-c", program, "identify", "--json", str(flower)]
    printed = subprocess.check_output(command, text=True)
    loaded = set(printed.splitlines()[-1].split())
    assert "openvino" in loaded
    unused = {"openvino.tools.ovc", "plant_classification.data", "plant_classification.bulk.run"}
    assert loaded.isdisjoint(unused | {"requests"})


def test_imports_point_one_way() -> None:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_installed_metadata_name_the_package_its_licence_and_its_entry_points() -> None:
    metadata = importlib.metadata.metadata("plant-classification")
    assert metadata["Version"] == (CHECKOUT / "VERSION").read_text("utf-8").strip()
    assert metadata["License"] == "Apache-2.0"
    entry_points = importlib.metadata.distribution("plant-classification").entry_points
    assert {(point.group, point.name, point.value) for point in entry_points} == {
        ("console_scripts", "plant-classification", "plant_classification.cli:main"),
        ("deepaas.model", "plant_classification", "plant_classification.api"),
        ("deepaas.v2.model", "plant_classification", "plant_classification.api"),
    }


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source archive, and the wheel that was built from that archive alone.

    Two processes at a time would be in each other's way in one checkout.
    """
    folder = tmp_path_factory.mktemp("dist")
    with locked(tmp_path_factory.getbasetemp().parent / "building"):
        subprocess.run(
            [sys.executable, "-m", "build", "--outdir", folder, CHECKOUT],
            check=True,
            stdin=subprocess.DEVNULL,
        )
    return folder


@pytest.mark.slow
def test_the_wheel_holds_all_that_runs_and_nothing_else(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = CHECKOUT / "plant_classification"
    wanted = {
        path.relative_to(CHECKOUT).as_posix()
        for pattern in (
            *("**/*.py", "config.yaml", "py.typed"),
            *("evaluation/templates/*", "models/starter/*", "server/static/*", "taxonomy/*.csv"),
        )
        for path in package.glob(pattern)
    }
    packed = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert packed == wanted
    assert any(name.endswith("/models/starter/model.json") for name in packed)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_the_source_archive_holds_the_licence_and_the_version(distributions: Path) -> None:
    (archive,) = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as members:
        names = {name.partition("/")[2] for name in members.getnames()}
    assert {"LICENSE", "README.md", "VERSION", "setup.cfg", "pyproject.toml"} <= names


@pytest.mark.slow
def test_the_wheel_names_a_plant_in_an_empty_environment(
    distributions: Path, tmp_path: Path
) -> None:
    (wheel,) = distributions.glob("*.whl")
    environment = tmp_path / "environment"
    binaries = environment / "bin"
    home = tmp_path / "home"
    home.mkdir()
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PLANT_"))
    } | {"HOME": str(home)}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command,
            cwd=home,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "venv", environment)
    run(binaries / "pip", "install", "--no-cache-dir", "-c", CHECKOUT / "constraints.txt", wheel)

    installed = run(
        binaries / "python",
        "-c",
        "import importlib.util as u; print(u.find_spec('tensorflow'), u.find_spec('sklearn'))",
    )
    assert installed.split() == ["None", "None"]

    (line,) = run(binaries / "plant-classification", "identify", "--json", PHOTO).splitlines()
    assert "Dahlia" in [result["genus"] for result in json.loads(line)["results"]]

    found = run(
        binaries / "python",
        "-c",
        "from deepaas.model import loading\n"
        "print(loading.get_model_by_name('plant_classification', 'v2').__name__)",
    )
    assert found.strip() == "plant_classification.api"
