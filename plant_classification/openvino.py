"""The one way in which this package imports OpenVINO, asks it for its core, and writes networks."""

from __future__ import annotations

import errno
import functools
import sys
import threading
from pathlib import Path
from typing import Any


def import_openvino() -> Any:
    """OpenVINO without its telemetry.

    ``openvino_telemetry``, a hard dependency of OpenVINO, looks up a host and writes into the home
    folder when OpenVINO is imported. A module that is None cannot be imported, and OpenVINO then
    takes the stub that it carries for that case.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


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
