"""Draw how often the starter's answers are right, over how sure they are: docs/reliability.svg."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plant_classification.data import VALIDATION
from plant_classification.evaluation import charts
from plant_classification.evaluation.judging import judge_model
from plant_classification.evaluation.reliability import equal_width_bins
from plant_classification.evaluation.wilson import share_interval
from plant_classification.models import read_model_folder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.settings import load_settings
from recipes import flora119

DOCS = Path(__file__).resolve().parents[1] / "docs"
COLOURS = {"var(--ink)": "#333333", "var(--grid)": "#dddddd", "var(--one)": "#2e7d32"}
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" '
GROUND = '<rect width="100%" height="100%" fill="white"/>'


def main() -> None:
    """Draw it, from the photos of val.txt."""
    dataset = flora119.read()
    model = read_model_folder(STARTER_FOLDER)
    judged = judge_model(model, dataset.labels, dataset.splits[VALIDATION], load_settings())
    bins = equal_width_bins(judged.predictions.confidence, judged.predictions.right)
    low, high = share_interval(np.rint(bins.accuracy * bins.photos).astype(int), bins.photos)
    svg = str(charts.reliability_diagram(bins.confidence, bins.accuracy, low, high))
    for variable, colour in COLOURS.items():
        svg = svg.replace(variable, colour)
    opening, rest = svg.removeprefix("<svg ").split(">", 1)
    (DOCS / "reliability.svg").write_text(f"{HEAD}{opening}>{GROUND}{rest}\n", "utf-8")


if __name__ == "__main__":
    main()
