"""``embed``: what the network sees, as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from darwin_core_archives import write_archive
from drawn_plants import draw_plants
from tiny_network import CHANNELS, RULE, write_tiny_model

from plant_classification import Classifier
from plant_classification.cli import cli
from plant_classification.files import PARTIAL, remove_partials, replacing
from plant_classification.photos import read
from plant_classification.settings import Settings

pq = pytest.importorskip("pyarrow.parquet")


def test_each_photo_has_the_features_that_the_classifier_gives_or_an_error(
    tmp_path: Path, settings: Settings
) -> None:
    write_tiny_model(settings.models_dir / "tiny")
    draw_plants(tmp_path / "photos")
    broken = tmp_path / "photos" / "broken.jpg"
    broken.write_bytes(b"no photo")
    out = tmp_path / "t.parquet"
    words = ["embed", tmp_path / "photos", "--out", out, "--models-dir", settings.models_dir]
    result = CliRunner().invoke(cli, list(map(str, words)))
    assert result.exit_code == 0, result.output
    paths = [broken, *sorted((tmp_path / "photos").glob("*/*.jpg"))]
    assert f"t.parquet: {len(paths)} photos; 1 with an error" in result.output
    rows = pq.read_table(out).to_pylist()
    assert [row["photo"] for row in rows] == list(map(str, paths))
    assert rows[0]["features"] is None
    assert "broken.jpg" in rows[0]["error"]
    classifier = Classifier.load("tiny", settings=settings)
    for row in rows[1::5]:
        pixels = read(row["photo"], settings, shorter_side=RULE.shorter_side()).pixels
        assert len(row["features"]) == CHANNELS
        np.testing.assert_allclose(row["features"], classifier.embed(pixels[None])[0], atol=1e-3)


def test_what_an_archive_names_here_is_not_read(
    tmp_path: Path, settings: Settings, flower: Path
) -> None:
    write_tiny_model(settings.models_dir / "tiny")
    media = [{"gbifID": "7", "type": "StillImage", "identifier": str(flower)}]
    archive = write_archive(tmp_path / "gbif", [{"gbifID": "7"}], media)
    out = tmp_path / "t.parquet"
    words = ["embed", archive, "--out", out, "--models-dir", settings.models_dir]
    result = CliRunner().invoke(cli, list(map(str, words)))
    assert result.exit_code == 0, result.output
    (row,) = pq.read_table(out).to_pylist()
    assert row["features"] is None
    assert row["error"] == f"{flower} is no address on the web."


def test_what_another_process_is_writing_is_not_taken_for_what_was_left(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    left = tmp_path / f"{out.name}.0123abcd{PARTIAL}"
    left.write_text("of a process that was killed")
    with replacing(out) as partial:
        partial.write_text("whole")
        remove_partials(out)
        assert list(tmp_path.iterdir()) == [partial]
    assert out.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("out", "said"), [("t.csv", "must end in .parquet"), ("t.txt", "must end")]
)
def test_another_format_is_refused(
    tmp_path: Path, settings: Settings, out: str, said: str, flower: Path
) -> None:
    write_tiny_model(settings.models_dir / "tiny")
    words = ["embed", flower, "--out", tmp_path / out, "--models-dir", settings.models_dir]
    result = CliRunner().invoke(cli, list(map(str, words)))
    assert said in str(result.exception)
    assert not (tmp_path / out).exists()
