"""The files that the marketplace reads: they pass its own checks and agree with the package."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from marketplace import image
from marketplace.image import CHECKOUT

from plant_classification import api
from plant_classification.models import find_model
from plant_classification.settings import Settings

METADATA = CHECKOUT / "ai4-metadata.yml"
HUBS_GATE = "2.0.0"
"""The version of the schema that the hub's pipeline validates with, whatever a file names."""


def run(tool: str, *arguments: str | Path) -> str:
    """What a command of this environment prints; it must end well."""
    command = shutil.which(tool, path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip(f"{tool} is missing: pip install '.[test]'")
    done = subprocess.run(
        [command, *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def metadata() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(METADATA.read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(CHECKOUT / "setup.cfg", "utf-8")
    return parser


@pytest.fixture(scope="module")
def tox() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(CHECKOUT / "tox.ini", "utf-8")
    return parser


def pythons(setup: configparser.ConfigParser) -> list[str]:
    return re.findall(r"Python :: (3\.\d+)", setup["metadata"]["classifiers"])


def test_the_metadata_are_valid_for_the_version_that_they_name_and_at_the_hubs_gate(
    metadata: dict[str, Any],
) -> None:
    for version in (metadata["metadata_version"], HUBS_GATE):
        printed = run("ai4-metadata", "validate", "--metadata-version", version, METADATA.name)
        assert f"valid for version {version}" in printed


def test_the_metadata_are_of_the_newest_version(metadata: dict[str, Any]) -> None:
    printed = run("ai4-metadata", "validate", METADATA.name)
    assert f"valid for version {metadata['metadata_version']}" in printed


def test_the_metadata_and_the_package_say_the_same(
    metadata: dict[str, Any], setup: configparser.ConfigParser
) -> None:
    package = setup["metadata"]
    assert metadata["summary"] == package["description"]
    assert metadata["title"].lower() == package["name"].replace("-", " ")
    assert package["license"] == "Apache-2.0"
    assert "Apache License" in (CHECKOUT / "LICENSE").read_text("utf-8").splitlines()[0]


def test_the_metadata_tell_the_starters_figures(
    metadata: dict[str, Any], settings: Settings
) -> None:
    starter = find_model("starter", settings.models_dir)
    figures = starter.metrics["flora119 val.txt"]
    everything, strangest = figures["all"], figures["flickr5"]
    text = " ".join(metadata["description"].split())
    assert f" {starter.label_count} kinds," in text
    assert f" {100 * everything['top1']:.1f} % of {everything['photos']:,} photos " in text
    assert f" {100 * strangest['top1']:.0f} % of the {strangest['photos']} " in text


def test_the_module_is_offered_as_trainable_when_it_trains(metadata: dict[str, Any]) -> None:
    assert ("AI4 trainable" in metadata["categories"]) == bool(api.get_train_args())


def test_source_and_image_are_one_entry_of_the_hub(metadata: dict[str, Any]) -> None:
    links = metadata["links"]
    organisation, name = links["source_code"].removeprefix("https://github.com/").split("/")
    assert organisation == "ai4os-hub"  # the platform shows modules of its own organisations only
    assert links["docker_image"] == f"ai4oshub/{name}"


def test_the_hub_finds_the_dockerfile() -> None:
    constants = (CHECKOUT / "JenkinsConstants.groovy").read_text("utf-8")
    (path,) = re.findall(r"^def dockerfile = '(.+)'$", constants, re.MULTILINE)
    assert CHECKOUT / path == image.DOCKERFILE
    assert image.DOCKERFILE.is_file()


def test_the_pipeline_runs_the_three_checks(tox: configparser.ConfigParser) -> None:
    config = yaml.safe_load((CHECKOUT / ".sqa" / "config.yml").read_text("utf-8"))
    compose = yaml.safe_load((CHECKOUT / ".sqa" / "docker-compose.yml").read_text("utf-8"))
    checks = []
    for criterion in config["sqa_criteria"].values():
        for repository in criterion["repos"].values():
            assert repository["container"] in compose["services"]
            assert (CHECKOUT / repository["tox"]["tox_file"]).is_file()
            checks += repository["tox"]["testenv"]
    assert checks == ["qc.sty", "qc.cov", "qc.sec"]
    assert all(f"testenv:{check}" in tox for check in checks)


def test_the_pipeline_publishes_what_the_checks_leave(tox: configparser.ConfigParser) -> None:
    pipeline = (CHECKOUT / "Jenkinsfile").read_text("utf-8")
    for report, check in (("flake8.log", "sty"), ("htmlcov", "cov"), ("bandit", "sec")):
        assert report in pipeline
        assert report.removesuffix("cov") in tox[f"testenv:qc.{check}"]["commands"]


def test_image_and_pipeline_have_a_python_that_is_tested(setup: configparser.ConfigParser) -> None:
    compose = (CHECKOUT / ".sqa" / "docker-compose.yml").read_text("utf-8")
    (pipelines,) = re.findall(r"ci-images:python(3\.\d+)", compose)
    assert pipelines in pythons(setup)
    assert image.arguments()["tag"].split("-")[0] in pythons(setup)


def test_hadolint_has_nothing_to_say_of_the_dockerfile() -> None:
    assert run("hadolint", image.DOCKERFILE) == ""
    assert "hadolint ignore" not in image.DOCKERFILE.read_text("utf-8")


def test_the_hubs_build_arguments_are_taken() -> None:
    assert {"tag", "branch"} <= image.arguments().keys()
    assert [stage.base for stage in image.stages() if "${tag}" in stage.base] == ["python:${tag}"]


def test_serving_comes_last_and_knows_no_training() -> None:
    stages = {stage.name: stage for stage in image.stages()}
    assert list(stages)[-1] == "serving"
    installed = {
        name: [words for kind, words in stage.instructions if "install.sh" in words]
        for name, stage in stages.items()
    }
    assert installed["serving"] == ["sh docker/install.sh serve"]
    assert installed["training"][-1].endswith("docker/install.sh train")


@pytest.mark.parametrize("name", ["serving", "training"])
def test_both_targets_run_as_a_user_and_offer_the_platforms_ports(name: str) -> None:
    stage = next(stage for stage in image.stages() if stage.name == name)
    assert int(stage.last("USER")) > 0
    assert stage.last("EXPOSE") == "5000 6006 8888"
    assert stage.last("CMD") == '["deep-start", "--deepaas"]'
    assert "http://127.0.0.1:5000/" in stage.last("HEALTHCHECK")


def test_the_image_names_its_module_and_takes_a_form_with_all_the_photos(
    settings: Settings,
) -> None:
    variables = image.stages()[-1].environment()
    assert variables["DEEPAAS_V2_MODEL"] == "plant_classification"
    assert variables["PLANT_CLASSIFICATION_MODELS_DIR"] == image.stages()[-1].last("VOLUME")
    form = int(variables["OS_DEFAULT__CLIENT_MAX_SIZE"]) - settings.max_total_bytes
    assert 1_000_000 < form < 10_000_000


def test_published_weights_come_with_their_checksum(settings: Settings) -> None:
    models = next(stage for stage in image.stages() if stage.name == "models")
    downloads = re.findall(r'models download (\w+) --sha256 "\$(\w+)"', models.last("RUN"))
    assert downloads == [(name, f"{name}_sha256") for name in settings.model_sources]
    assert all(image.arguments()[argument] == "" for _, argument in downloads)
    help_ = run("plant-classification", "models", "download", "--help")
    assert "--sha256" in help_
    assert "--models-dir" in help_
