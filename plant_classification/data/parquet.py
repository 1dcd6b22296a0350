"""Parquet tables, read by pyarrow, which is a part of the extra ``fast``."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from plant_classification.errors import DatasetError

PARQUET = ".parquet"


def from_parquet(file: Path, function: str, **options: Any) -> Any:
    """What a function of ``pyarrow.parquet`` reads of a file.

    Raises:
        DatasetError: It cannot be read, or pyarrow is missing.
    """
    if not find_spec("pyarrow"):
        raise DatasetError(f"{file} needs pyarrow: pip install 'plant-classification[fast]'.")
    try:
        return getattr(importlib.import_module("pyarrow.parquet"), function)(file, **options)
    except (ValueError, OSError) as error:
        raise DatasetError(f"{file} cannot be read as Parquet: {str(error).rstrip('.')}.") from None
