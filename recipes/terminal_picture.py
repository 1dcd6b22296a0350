"""Draw what ``plant-classification identify docs/dahlia.jpg`` prints: docs/identify.svg."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from plant_classification import Classifier
from plant_classification.cli.answer_view import show

DOCS = Path(__file__).resolve().parents[1] / "docs"


def main() -> None:
    """Draw it, in f32 so that it is the same on every machine."""
    photo = DOCS / "dahlia.jpg"
    console = Console(
        file=io.StringIO(),
        record=True,
        width=96,
        force_terminal=True,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print("$ plant-classification identify docs/dahlia.jpg")
    show(Classifier.load(precision="f32").identify(photo), photo.name, console)
    console.save_svg(str(DOCS / "identify.svg"), title="plant-classification")


if __name__ == "__main__":
    main()
