"""Memory of the process that measures, and of one that runs some code.

``ru_maxrss`` is not asked, for it begins with what the parent had.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
PRINT_STATUS = f"\nprint(open({str(STATUS)!r}).read())\n"


def peak_memory() -> int:
    """Most bytes of memory that this process has had."""
    return _peak(STATUS.read_text())


def peak_memory_of(code: str, *arguments: Path) -> int:
    """Most bytes that a Python has which runs some code; it finds the arguments in ``sys.argv``."""
    command = [sys.executable, "-c", code + PRINT_STATUS, *map(str, arguments)]
    return _peak(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def _peak(status: str) -> int:
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
