"""The one way in which this package imports OpenVINO."""

from __future__ import annotations

import sys
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
