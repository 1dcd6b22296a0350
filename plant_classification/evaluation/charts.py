"""Charts as inline SVG: drawn by matplotlib, coloured by the page's style, light or dark.

Only words of our own stand in them; names that come from strangers go into ``page.bar_chart``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:  # parts of the extra "fast"
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCHES, SIZE = (4.6, 3.0), 10.5
INK, GRID = "#000001", "#000002"
SERIES = ("#000003", "#000004", "#000005", "#000006")
_VARIABLES = dict(
    zip((INK, GRID, *SERIES), ("ink", "grid", "one", "two", "three", "four"), strict=True)
)
"""Colours that stand for the style's: page.css says what each one is in light and in dark."""

_SUPERFLUOUS = (
    (re.compile(r"<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL), ""),
    (re.compile(r" ?font-family: [^;]*;"), ""),  # the page's
    (re.compile(r'<g id="[^"]*"/>'), ""),
    (re.compile(r'<g id="[^"]*">'), "<g>"),  # the same in every chart
    (re.compile(r"xlink:href"), "href"),
    (re.compile(r"\s*\n\s*"), "\n"),
)


def line_chart(
    series: Mapping[str, Sequence[float | None]],
    *,
    x: Sequence[float] | None = None,
    x_label: str = "",
    y_label: str = "",
    share: bool = False,
    log: bool = False,
) -> Markup:
    """One to four lines.

    Args:
        series: Values by the name of their line; None or NaN is a gap.
        x: Where the values stand; from one up where not given.
        x_label: Words at the axis.
        y_label: The same.
        share: Whether the values are fractions in [0, 1], to be written as per cent.
        log: Whether equal ratios are equal steps upwards.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(x_label, y_label, share=share, log=log)
    for (name, values), colour in zip(series.items(), SERIES, strict=False):
        y = np.array([np.nan if value is None else value for value in values], float)
        places = np.arange(1, len(y) + 1) if x is None else np.asarray(x)
        marker = "o" if len(y) <= 2 else ""
        axes.plot(places, y, color=colour, label=name, linewidth=1.8, marker=marker, markersize=4)
    if x is None:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    if len(series) > 1:
        axes.legend(frameon=False, labelcolor=INK, fontsize=SIZE)
    return _svg(figure, ", ".join(series))


def histogram(
    values: ArrayLike,
    *,
    bins: int | Sequence[float] = 40,
    x_label: str = "",
    y_label: str = "",
    share: bool = False,
) -> Markup:
    """How often values fall into each bin.

    Args:
        values: Numbers, finite, of any shape.
        bins: Their number, or their edges.
        x_label: Words at the axis.
        y_label: The same.
        share: Whether the values are fractions in [0, 1], to be written as per cent.
    """
    figure, axes = _figure(x_label, y_label)
    if share:
        axes.xaxis.set_major_formatter(_per_cent)
    axes.hist(np.ravel(np.asarray(values)), bins=bins, color=SERIES[0], rwidth=0.9)
    return _svg(figure, x_label)


def reliability_diagram(
    confidence: NDArray[np.float64],
    accuracy: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> Markup:
    """How often answers are right, over how sure the model was; the diagonal is perfect.

    Args:
        confidence: Mean of each bin ``(bins,)``, in [0, 1].
        accuracy: The same.
        low: Where the interval of each accuracy begins, in [0, 1].
        high: Where it ends.
    """
    figure, axes = _figure("probability of the first name", "share that is right", share=True)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=(0, (3, 3)), alpha=0.6)
    spread = np.abs(np.stack([low, high]) - accuracy)
    axes.errorbar(confidence, accuracy, spread, color=SERIES[0], fmt="o", markersize=5.5)
    axes.xaxis.set_major_formatter(_per_cent)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    return _svg(figure, "Reliability diagram")


def _figure(
    x_label: str, y_label: str, *, share: bool = False, log: bool = False
) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(INCHES, layout="constrained")
    axes = figure.add_subplot()
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(GRID)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=INK, labelsize=SIZE, length=0)
    axes.set_xlabel(x_label, color=INK, fontsize=SIZE)
    axes.set_ylabel(y_label, color=INK, fontsize=SIZE)
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(_number)
    axes.yaxis.set_major_formatter(_per_cent if share else _number)
    return figure, axes


def _number(value: float, _: float | None) -> str:
    return f"{value:,.6g}"


def _per_cent(value: float, _: float | None) -> str:
    return f"{100 * value:.4g}\N{NO-BREAK SPACE}%"


def _svg(figure: Figure, words: str) -> Markup:
    import matplotlib as mpl
    from markupsafe import Markup, escape

    file = io.StringIO()
    # Text stays text, and identifiers hang on the content alone.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "chart"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    for superfluous, instead in _SUPERFLUOUS:
        svg = superfluous.sub(instead, svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    view = re.search(r'viewBox="[^"]*"', svg)
    head = f'<svg role="img" aria-label="{escape(words)}" {view[0] if view else ""}>'
    # Words of matplotlib's and ours.
    return Markup(head + svg[svg.index(">") + 1 :])  # noqa: S704  # nosec B704
