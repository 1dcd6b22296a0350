"""What stands in a page, as a browser would read it."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser


@dataclasses.dataclass
class WebPage:
    """Attributes that name an address, elements by name, sections by title, and all text."""

    addresses: list[str] = dataclasses.field(default_factory=list)
    elements: list[str] = dataclasses.field(default_factory=list)
    images: list[str] = dataclasses.field(default_factory=list)
    policy: str = ""
    script: str = ""
    text: str = ""
    sections: dict[str, str] = dataclasses.field(default_factory=dict)
    rows: list[list[str]] = dataclasses.field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = WebPage()
        self._open: list[str] = []
        self._section = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        page, values = self.page, dict(attrs)
        page.elements.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "srcset", "poster"):
                page.addresses.append(value or "")
        if tag == "img":
            page.images.append(values["src"] or "")
        if tag == "meta" and values.get("http-equiv") == "Content-Security-Policy":
            page.policy = values["content"] or ""
        if tag == "tr":
            page.rows.append([])
        if tag in ("td", "th"):
            page.rows[-1].append("")
        self._open.append(tag)
        if tag == "h2":
            self._section = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        page = self.page
        if "script" in self._open:
            page.script += data
        elif "style" not in self._open:
            page.text += data
            if "h2" in self._open:
                self._section += data
            elif self._section:
                page.sections[self._section] = page.sections.get(self._section, "") + data
            if page.rows and page.rows[-1] and "table" in self._open:
                page.rows[-1][-1] += data.strip("\n")


def read_page(html: str) -> WebPage:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page
