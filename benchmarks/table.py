"""All figures in one place: runs the benchmarks one after another, and writes docs/figures.md.

Run it with ``python benchmarks/table.py [--work WORK] [NAME ...]`` on a machine that does nothing
else; hours for all of them, which are run where none is named. The others, and one that fails, keep
what they printed last. WORK is the folder that ``python -m recipes.starter`` works in: ``trust``,
``rejection_scores`` and ``mission_size`` find there what they need, or leave it there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.figures import KEPT_IN, is_missed
from plant_classification.processes import processors

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "figures.md"
HEAD = """# Figures

What `python benchmarks/table.py` printed last, each with the bound that was asked for. A ratio is
of two things that were measured in one run on the machine that is named; what it is made of stands
beside it. **Bold**: short of what was asked.
"""
RUNS = {
    "identify": "One photo, and a request through DEEPaaS",
    "serving": "`plant-classification serve` under load",
    "batch": "Many photos into one table",
    "cluster": "The same on a Ray cluster",
    "similar": "Similar photos",
    "eight_bits": "Networks in eight bits",
    "trust": "What an answer is worth",
    "rejection_scores": "Scores that could tell plants from other things",
    "starter": "The starter on val.txt",
    "loader": "Reading split files",
    "pipeline": "Photos for training",
    "fast": "Fast mode",
    "training": "Full training",
    "mission_size": "Training at the mission's own size",
}
WORKING = ("trust", "rejection_scores", "mission_size")
COMMANDS = {"starter": ["-m", "recipes.starter", "evaluate"]}


def machine() -> str:
    """What the figures were measured on."""
    (model,) = re.findall(
        r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
    )[:1]
    memory = os.sysconf("SC_PAGESIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = f"Python {platform.python_version()}"
    return f"{processors()} processors ({model}), {memory:.0f} GiB, {python}"


def _row(figure: Mapping[str, Any]) -> str:
    strong = "**" if is_missed(round(figure["ratio"], 2), figure["bound"]) else ""
    ratio = f"{strong}{figure['ratio']:.2f}{strong}"
    return f"| {figure['name']} | {ratio} | {figure['bound']} | {figure['remark']} |"


def section(name: str, work: Path | None) -> str:
    """Run a benchmark; what it printed, as a part of the page.

    Raises:
        CalledProcessError: It failed.
    """
    command = COMMANDS.get(name, [f"benchmarks/{name}.py"])
    command = [*command, *([str(work)] if work and name in WORKING else [])]
    with tempfile.NamedTemporaryFile() as kept:
        printed = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, KEPT_IN: kept.name, "TF_CPP_MIN_LOG_LEVEL": "3"},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        figures = [json.loads(line) for line in kept]
    shown = " ".join(["python", *command]).replace(str(work), "WORK")
    if figures:
        rows = "\n".join(map(_row, figures))
        body = f"| | | asked | |\n|---|---|---|---|\n{rows}"
    else:
        body = f"```text\n{printed.rstrip()}\n```"
    date = dt.datetime.now(dt.timezone.utc).date()
    return f"## {RUNS[name]}\n\n`{shown}`, {date}, {machine()}\n\n{body}\n"


def main() -> None:
    """Run what is named, and write the page after each."""
    parser = argparse.ArgumentParser(description="Run benchmarks, and write docs/figures.md.")
    parser.add_argument("--work", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *RUNS])
    given = parser.parse_args()
    names = given.names or list(RUNS)
    if not given.work and (lacking := [name for name in names if name in WORKING]):
        parser.error(f"{', '.join(lacking)} need --work WORK")
    there = PAGE.read_text("utf-8").split("\n## ")[1:] if PAGE.exists() else []
    parts = {part.partition("\n")[0]: f"## {part.strip()}\n" for part in there}
    failed = []
    for name in names:
        print(f"{name} ...", file=sys.stderr)
        try:
            parts[RUNS[name]] = section(name, given.work)
        except subprocess.CalledProcessError:  # what it said stands above
            failed.append(name)
        known = [parts[title] for title in RUNS.values() if title in parts]
        PAGE.write_text("\n".join([HEAD, *known]), "utf-8")
    if failed:
        sys.exit(f"These failed, and keep what they printed before: {', '.join(failed)}")


if __name__ == "__main__":
    main()
