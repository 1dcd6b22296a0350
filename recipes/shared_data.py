"""Where the shared data are: beside the checkout, or in the folder that PLANT_SHARED names."""

from __future__ import annotations

import os
from pathlib import Path


def shared(place: str) -> Path:
    """A file or folder of the shared data, which must be there."""
    folder = os.environ.get("PLANT_SHARED", Path(__file__).resolve().parents[2] / "shared")
    path = Path(folder) / "data" / place
    if not path.exists():
        raise SystemExit(f"{path} is missing: set PLANT_SHARED to the folder of shared data.")
    return path
