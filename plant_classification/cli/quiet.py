"""TensorFlow without what its libraries write to the terminal when they are loaded."""

from __future__ import annotations

import importlib.util
import os
import sys


def load_tensorflow() -> None:
    """Load TensorFlow, if it is installed, without its words on processors and missing GPUs."""
    if importlib.util.find_spec("tensorflow") is None:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)  # they are written before TensorFlow reads what is to be written
        importlib.import_module("tensorflow")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
