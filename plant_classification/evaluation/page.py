"""Pieces of a self-contained HTML page: what every report is put together from.

A page asks no other host for anything, and its content policy forbids it. Names and paths come from
strangers: text is escaped unless it is ``Markup``, which the functions here return.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import importlib.util
import numbers
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from plant_classification.errors import ArgumentError
from plant_classification.evaluation.thumbnails import thumbnail
from plant_classification.files import write_file
from plant_classification.settings import Settings

if TYPE_CHECKING:  # a part of the extra "fast"
    import jinja2
    from markupsafe import Markup

Text: TypeAlias = "str | Markup"
"""``str`` is escaped, ``Markup`` is taken as it is."""

ROWS_AT_ONCE = 100
"""Rows of a table that are seen before it is unfolded."""


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page: its title, also in the list of contents, and what the pieces made."""

    title: str
    body: Markup


@dataclasses.dataclass(frozen=True)
class Tile:
    """A figure that stands large: as it is shown (``"91.5 %"``), what it is, and a small remark."""

    value: str
    caption: str
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: Its name.
        kind: ``"text"``, ``"number"`` (a whole number with separators, or three digits of a
            float), or ``"share"`` (a fraction in [0, 1], as per cent over a bar).
    """

    heading: str
    kind: str = "text"


@dataclasses.dataclass(frozen=True)
class Bar:
    """A bar of a chart: its name, its length (0 or more), and what is written at its end."""

    name: Text
    value: float
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A chart (:mod:`plant_classification.evaluation.charts`), its title, and how to read it."""

    title: str
    chart: Markup
    note: Text = ""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A photo to be shown small, and what stands below it."""

    path: Path
    caption: Text


def page(title: str, sections: Iterable[Section], *, subtitle: Text = "") -> str:
    """The whole page, the same bytes for the same input.

    Args:
        title: Its heading, and the window's.
        sections: In the order of the page.
        subtitle: A line below the heading.
    """
    script = _static("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            subtitle=subtitle,
            sections=list(sections),
            style=_static("page.css"),
            script=script,
            script_digest=digest,
        )
    )


def write_page(path: Path, html: str) -> None:
    """Write a page whole or not at all; one that is there is replaced.

    Raises:
        ArgumentError: It cannot be written.
    """
    try:
        # A file's name may hold bytes that are no text.
        write_file(path, html.encode("utf-8", "replace"))
    except OSError as error:
        raise ArgumentError(f"{path} cannot be written: {error.strerror}.") from None


def paragraphs(texts: Iterable[Text]) -> Markup:
    """A paragraph for each text."""
    return _piece("paragraphs", list(texts))


def bullets(texts: Iterable[Text]) -> Markup:
    """A list with a point for each text."""
    return _piece("bullets", list(texts))


def join(*pieces: Markup) -> Markup:
    """Pieces one after another."""
    from markupsafe import Markup

    return Markup("").join(pieces)


def folded(title: Text, body: Markup) -> Markup:
    """What is seen only once it is opened."""
    return _piece("folded", title, body)


def beside(*pieces: Markup) -> Markup:
    """Pieces side by side where there is room."""
    return _piece("beside", list(pieces))


def callout(title: Text, body: Markup) -> Markup:
    """A box that catches the eye."""
    return _piece("callout", title, body)


def tiles(figures: Iterable[Tile]) -> Markup:
    """Figures that stand large, side by side."""
    return _piece("tiles", list(figures))


def facts(values: Mapping[str, Text | float | None]) -> Markup:
    """Names and their values, one a line; None is a dash."""
    return _piece("facts", list(values.items()))


def table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Text | float | None]],
    *,
    at_once: int = ROWS_AT_ONCE,
) -> Markup:
    """A table that can be sorted and, if it is long, searched and unfolded.

    Args:
        columns: From left to right.
        rows: A value for each column; None is a dash. The most telling ones come first.
        at_once: Rows that are seen before it is unfolded, and that are printed.
    """
    rows = list(rows)
    return _piece("table", list(columns), rows[:at_once], rows[at_once:])


def bar_chart(bars: Iterable[Bar]) -> Markup:
    """Horizontal bars from zero, as long as their values; for names of any length."""
    bars = list(bars)
    return _piece("bar_chart", bars, max((bar.value for bar in bars), default=0) or 1)


def figures(charts: Iterable[Figure]) -> Markup:
    """Charts side by side where there is room."""
    return _piece("figures", list(charts))


def thumbnails(pictures: Iterable[Picture], settings: Settings) -> Markup:
    """Photos as small pictures within the page; one that cannot be read is a blank with its name.

    Args:
        pictures: In the order of the page.
        settings: For the limits of reading.
    """
    shown = [(picture, thumbnail(picture.path, settings)) for picture in pictures]
    return _piece("thumbnails", shown)


def _cell(value: Text | float | None, kind: str) -> Any:
    """A value as a table shows it."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, str):
        return value
    if kind == "share":
        return f"{100 * value:.1f} %"
    return f"{value:,}" if isinstance(value, numbers.Integral) else f"{value:,.3g}"


def _piece(name: str, *arguments: Any) -> Markup:
    """What a macro of pieces.html.j2 makes."""
    made: Markup = getattr(_environment().get_template("pieces.html.j2").module, name)(*arguments)
    return made


@functools.cache
def _environment() -> jinja2.Environment:
    if not (importlib.util.find_spec("jinja2") and importlib.util.find_spec("matplotlib")):
        raise ArgumentError(
            "A report needs jinja2 and matplotlib: pip install 'plant-classification[fast]'."
        )
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("plant_classification.evaluation", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = _cell
    return environment


def _static(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text("utf-8")
