"""What docs list by hand is all that there is."""

from __future__ import annotations

import json
import re

import pytest
from documentation import ROOT

from plant_classification.bulk.rows import COLUMNS
from plant_classification.schemas import answer_fields


def named(page: str) -> set[str]:
    """What stands between backquotes in the first column of the page's tables."""
    lines = (ROOT / page).read_text("utf-8").splitlines()
    cells = [line.split("|")[1] for line in lines if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_column_of_a_table_is_told() -> None:
    assert set(COLUMNS) <= named("docs/many-photos.md")


def test_every_network_is_told() -> None:
    pytest.importorskip("tensorflow")
    from plant_classification.networks import ARCHITECTURES

    assert set(ARCHITECTURES) <= named("docs/training.md")


def test_the_answer_in_the_readme_has_every_field_but_the_old_ones() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert set(json.loads(block)) == set(answer_fields()) - {"predictions"}
