"""The commands of README.md and docs/, as a person would copy and run them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from api.service import environment

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

Runs = Callable[[str], str]


def commands(page: Path, section: str = "") -> list[str]:
    """The lines of a page's console blocks, or of a section's; one that goes on is one."""
    text = page.read_text("utf-8")
    if section:
        (text,) = re.findall(rf"^## {section}\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if not line.startswith("#")]


def shell(folder: Path) -> Runs:
    """What runs a command in a folder, and gives what it prints; the test fails with it."""
    variables = environment(folder, trainings_dir=folder / "trainings")
    variables["PATH"] = f"{Path(sys.executable).parent}:{variables['PATH']}"

    def run(line: str) -> str:
        done = subprocess.run(
            ["/bin/bash", "-ec", line],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
