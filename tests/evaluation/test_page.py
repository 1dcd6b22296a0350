"""Pages: asking nobody for anything, safe from names, whole or not there."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from drawn_photos import encode, ramp
from evaluation.web_page import read_page
from markupsafe import Markup
from PIL import Image

from plant_classification.errors import ArgumentError
from plant_classification.evaluation import charts, page
from plant_classification.settings import Settings

HOSTILE = '<script src="https://example.org/x.js"></script><img src=x onerror=alert(1)>" onload="'


def shown(*pieces: Markup) -> str:
    return page.page("A page", [page.Section("Part", page.join(*pieces))])


def everything_with(name: str, settings: Settings) -> str:
    """A page of all pieces, with a name wherever one may stand."""
    body = page.join(
        page.paragraphs([name]),
        page.bullets([name]),
        page.folded(name, page.paragraphs([name])),
        page.callout(name, page.beside(page.paragraphs([name]))),
        page.tiles([page.Tile(name, name, name)]),
        page.facts({name: name}),
        page.table([page.Column(name), page.Column("n", "number")], [(name, 1)] * 3, at_once=2),
        page.bar_chart([page.Bar(name, 1, name)]),
        page.figures([page.Figure(name, charts.line_chart({"loss": [1, 2]}), name)]),
        page.thumbnails([page.Picture(Path(name.replace("/", "_")), name)], settings),
    )
    return page.page(name, [page.Section(name, body)], subtitle=name)


def test_names_from_strangers_stay_text(settings: Settings) -> None:
    hostile, harmless = everything_with(HOSTILE, settings), everything_with("Rosa", settings)
    seen = read_page(hostile)
    assert seen.elements == read_page(harmless).elements
    assert seen.text.count("alert(1)") == read_page(harmless).text.count("Rosa")
    assert all(address.startswith("#") for address in seen.addresses)


def test_a_page_asks_no_host_and_forbids_it(settings: Settings) -> None:
    seen = read_page(everything_with("Rosa", settings))
    digest = base64.b64encode(hashlib.sha256(seen.script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in seen.policy
    assert "default-src 'none'" in seen.policy
    assert "link" not in seen.elements
    style = (Path(page.__file__).parent / "templates" / "page.css").read_text("utf-8")
    assert "url(" not in style
    assert "@import" not in style


def test_a_page_is_the_same_bytes_each_time(settings: Settings) -> None:
    assert everything_with("Rosa", settings) == everything_with("Rosa", settings)


def test_rows_beyond_the_first_are_there_and_folded() -> None:
    columns = (page.Column("Name"), page.Column("Photos", "number"), page.Column("Right", "share"))
    rows = [(f"Rosa {index}", np.int64(1000 + index), None) for index in range(30)]
    html = shown(page.table(columns, [*rows, ("Malus", None, 0.5)], at_once=5))
    seen = read_page(html)
    assert seen.rows[0] == ["Name", "Photos", "Right"]
    assert seen.rows[1] == ["Rosa 0", "1,000", "\N{EN DASH}"]
    assert seen.rows[-1] == ["Malus", "\N{EN DASH}", "50.0 %"]
    assert len(seen.rows) == 32
    first, rest = html.split('<tbody class="rest">')
    assert first.count("<td>Rosa") == 5
    assert "Show all 31 rows" in first
    assert rest.count("<td>Rosa") == 25
    assert "rest" not in read_page(shown(page.table(columns, rows[:5], at_once=5))).text


def test_bars_are_as_long_as_their_values() -> None:
    bars = page.bar_chart([page.Bar("a", 8), page.Bar("b", 2), page.Bar("c", 0)])
    assert re.findall(r"width:([\d.]+)%", bars) == ["100", "25", "0"]
    assert re.findall(r"width:([\d.]+)%", page.bar_chart([page.Bar("a", 0)])) == ["0"]


def test_charts_are_well_formed_and_take_their_colours_from_the_page() -> None:
    random = np.random.default_rng(0)
    drawn = [
        charts.line_chart({"a": [1.0, None, 3.0], "b": [0.1, float("nan"), 2.0]}, log=True),
        charts.line_chart({"a": [0.5]}, x_label="epoch", share=True),
        charts.line_chart({"a": [0.1, 0.9]}, x=[10, 1000]),
        charts.histogram(random.random(50), bins=[0, 0.5, 1], share=True),
        charts.reliability_diagram(*(np.array([0.2, 0.8]) + shift for shift in (0, 0, -0.1, 0.1))),
    ]
    for svg in drawn:
        root = ET.fromstring(svg)  # noqa: S314 - our own
        assert root.get("viewBox")
        assert "var(--one)" in svg
        assert not re.search(r"#(?!(m|p)[0-9a-f]{10})", svg)
        assert len(svg) < 20_000
    assert "epoch" in read_page(shown(drawn[1])).text


def test_a_thumbnail_is_small_upright_and_within_the_page(
    tmp_path: Path, settings: Settings
) -> None:
    photo, noise, long = tmp_path / "photo.png", tmp_path / "noise.png", tmp_path / "long.png"
    photo.write_bytes(encode(ramp(600, 400), "PNG"))
    random = np.random.default_rng(0)
    noise.write_bytes(encode(random.integers(0, 256, (900, 900, 3), np.uint8), "PNG"))
    long.write_bytes(encode(ramp(3000, 20), "PNG"))
    seen = read_page(
        shown(page.thumbnails([page.Picture(p, "x") for p in (photo, noise, long)], settings))
    )
    sizes = []
    for address in seen.images:
        assert address.startswith("data:image/jpeg;base64,")
        assert len(address) <= 20_100
        with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
            sizes.append(picture.size)
    assert sizes[0] == (240, 160)
    assert sizes[2] == (240, 2)


def test_a_photo_that_is_gone_is_a_blank_with_its_name(tmp_path: Path, settings: Settings) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    pictures = [page.Picture(tmp_path / "gone.jpg", "a rose"), page.Picture(broken, "a lily")]
    seen = read_page(shown(page.thumbnails(pictures, settings)))
    assert seen.images == []
    for word in ("gone.jpg", "broken.jpg", "a rose", "a lily"):
        assert word in seen.text


def test_a_missing_package_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page._environment.cache_clear()
    with pytest.raises(ArgumentError, match=r"pip install 'plant-classification\[fast\]'"):
        page.paragraphs(["x"])


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    page.write_page(target, "old")
    page.write_page(target, "new, of caf\N{LATIN SMALL LETTER E WITH ACUTE} \udcff")
    assert target.read_text("utf-8") == "new, of caf\N{LATIN SMALL LETTER E WITH ACUTE} ?"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(ArgumentError, match="cannot be written: No such file"):
        page.write_page(tmp_path / "nowhere" / "report.html", "x")
