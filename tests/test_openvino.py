"""OpenVINO in this process."""

from __future__ import annotations

import subprocess
import sys

LOADED_AND_LEFT = """
import gc, signal
from plant_classification import Classifier
kept = [Classifier.load("starter") for _ in range(2)]
while kept:
    del kept[0]
    gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("The signal came."))
signal.raise_signal(signal.SIGTERM)
"""


def test_signals_are_handled_after_models_went() -> None:
    """With a core for each model the process died of the signal, on processors with AMX."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED_AND_LEFT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "The signal came.\n"), done.stderr
