"""The one way in which this package imports OpenVINO, asks it for its core, and writes networks."""

from __future__ import annotations

import errno
import functools
import importlib
import sys
import threading
from pathlib import Path
from typing import Any

CONVERTER = "openvino.tools.ovc"


def import_openvino() -> Any:
    """OpenVINO without its telemetry; its converter is loaded when it is first used.

    ``openvino_telemetry``, a hard dependency of OpenVINO, looks up a host and writes into the home
    folder. A module that is None cannot be imported, and OpenVINO then takes the stub that it
    carries for that case. Of the time that OpenVINO takes to be imported the converter takes three
    quarters, and identification has no use for it; OpenVINO goes on without that, too.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    sys.modules.setdefault(CONVERTER, None)  # type: ignore[arg-type]
    try:
        import openvino
    finally:
        if sys.modules.get(CONVERTER, CONVERTER) is None:
            sys.modules.pop(CONVERTER, None)
    if not hasattr(openvino, "convert_model"):
        openvino.convert_model = _convert_model
    return openvino


def _convert_model(*arguments: Any, **options: Any) -> Any:
    return importlib.import_module(CONVERTER).convert_model(*arguments, **options)


def core() -> Any:
    """The ``openvino.Core`` of this process; there must be no other.

    Where the processor has AMX, each core's plugin gives the thread a signal stack of its own. When
    one of several goes, it takes away the stack that is in use, and the next signal that Python
    would have handled kills the process.
    """
    with _LOCK:
        return _core()


_LOCK = threading.Lock()


@functools.cache
def _core() -> Any:
    return import_openvino().Core()


def save_network(network: Any, path: Path, *, half: bool) -> None:
    """Write ``network.xml`` and, beside it, ``network.bin``.

    Args:
        network: An OpenVINO model.
        path: Where network.xml goes.
        half: Whether the weights are written as float16, at half the size. That moves
            probabilities by up to some 1e-3.

    Raises:
        OSError: It cannot be written.
    """
    try:
        import_openvino().save_model(network, path, compress_to_fp16=half)
    except RuntimeError:  # OpenVINO does not say why
        raise OSError(errno.ENOSPC, "no space left, or no right to write", str(path)) from None
