"""What an evaluation found, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

WORDS = {
    "top_1": "right at once",
    "top_5": "right within five",
    "average_5": "right in sets of five on average",
    "macro_top_1": "right at once, mean over labels",
    "macro_top_5": "right within five, mean over labels",
    "genus_top_1": "right genus",
    "family_top_1": "right family",
    "log_loss": "log-loss",
    "ece": "calibration error",
    "aurc": "area under risk and coverage",
}
"""What each figure is called."""

OF_GROUPS = ("top_1", "top_5", "macro_top_1", "genus_top_1", "ece")
PLAIN = frozenset({"log_loss", "aurc"})
"""Figures that are no per cent."""


def print_evaluation(found: Mapping[str, Any], console: Console) -> None:
    """Print the figures with their intervals, then those of the groups, then the notes."""
    console.print(
        f"{found['name']}: {found['photos']:,} photos, {found['labels']:,} labels", style="bold"
    )
    table = _table("Figure", "Value", "95 % interval")
    for name, words in WORDS.items():
        table.add_row(words, written(name, found[name]), interval(name, found))
    console.print(table)
    for coverage, sets in (found["plausible"] or {}).items():
        (low, high), (least, most) = (sets["intervals"][name] for name in ("coverage", "size"))
        console.print(
            f"Plausible sets at {100 * float(coverage):g}%: {sets['coverage']:.1%} hold the right "
            f"name ({100 * low:.1f} to {100 * high:.1f}), {sets['size']:.2f} names each on average "
            f"({least:.2f} to {most:.2f}).",
            soft_wrap=True,
        )
    for confidence, safe in (found["safe"] or {}).items():
        if safe["right"] is not None:
            low, high = safe["intervals"]["right"]
            console.print(
                f"Safe answers at {100 * float(confidence):g}%: {safe['given']:.1%} of the photos "
                f"get one, {safe['right']:.1%} of these are right "
                f"({100 * low:.1f} to {100 * high:.1f}).",
                soft_wrap=True,
            )
    for column, groups in found["groups"].items():
        _print_groups(column, groups, console)
    for note in found["notes"]:
        console.print(f"Note: {note}")


def _print_groups(column: str, groups: Mapping[str, Any], console: Console) -> None:
    shown = [
        name for name in OF_GROUPS if any(group[name] is not None for group in groups.values())
    ]
    console.print()
    table = _table(column.capitalize(), "photos", *(WORDS[name] for name in shown))
    for group, figures in groups.items():
        values = (f"{written(name, figures[name])} ({interval(name, figures)})" for name in shown)
        table.add_row(group, f"{figures['photos']:,}", *values)
    console.print(table)


def print_comparison(found: Mapping[str, Any], console: Console) -> None:
    """Print how two models fare on the same photos."""
    name, compared = found["name"], found["compared"]
    low, high = compared["interval"]
    console.print()
    console.print(
        f"Of {compared['photos']:,} photos both name {compared['both_right']:,} rightly, {name} "
        f"alone {compared['only_first']:,}, {compared['name']} alone {compared['only_second']:,}. "
        f"{name} is right {100 * compared['difference']:+.1f} points more often ({100 * low:+.1f} "
        f"to {100 * high:+.1f}); two models that are equally good would differ as much with a "
        f"probability of {compared['p_value']:.2g}.",
        soft_wrap=True,
    )


def written(name: str, value: float | None) -> str:
    """A figure as a person reads it."""
    if value is None:
        return "-"
    return f"{value:.3f}" if name in PLAIN else f"{100 * value:.1f} %"


def interval(name: str, figures: Mapping[str, Any]) -> str:
    """The interval of a figure."""
    ends: Sequence[float] | None = figures["intervals"][name]
    if ends is None:
        return "-"
    low, high = (written(name, end).removesuffix(" %") for end in ends)
    return f"{low} to {high}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    return table
