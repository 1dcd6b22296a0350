"""What the package stands on may be used with it, and the page says so."""

from __future__ import annotations

import re
from pathlib import Path

from recipes.licences import BY_FILE, PERMISSIVE, licence_of, needed

PAGE = Path(__file__).parents[1] / "docs" / "licences.md"


def test_every_dependency_has_a_licence_that_asks_nothing_of_its_users() -> None:
    found = {name: licence_of(one) for name, one in needed().items()}
    assert {"numpy", "openvino", "deepaas", "tensorflow", "ray"} <= found.keys()
    odd = {
        name: licence
        for name, licence in found.items()
        if not PERMISSIVE.search(licence) and not BY_FILE.search(licence)
    }
    assert odd == {}
    for licence in found.values():
        assert not re.search(r"\bA?L?GPL", licence)


def test_the_page_lists_what_the_package_names_itself() -> None:
    listed = set(re.findall(r"[\w.-]+", PAGE.read_text("utf-8")))
    named = needed(extras=())
    assert named.keys() - listed == set()
