"""Where the shared data are: beside the checkout, or in the folder that PLANT_SHARED names."""

from __future__ import annotations

import os
from pathlib import Path


def shared_folder() -> Path:
    """Where it is, or would be."""
    return Path(os.environ.get("PLANT_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def shared(place: str) -> Path:
    """A file or folder of the shared data, which must be there."""
    path = shared_folder() / "data" / place
    if not path.exists():
        raise SystemExit(f"{path} is missing: set PLANT_SHARED to the folder of shared data.")
    return path
