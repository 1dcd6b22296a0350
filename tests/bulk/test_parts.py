"""Parts of a run: the same photos are the same parts, and a change is a change of one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plant_classification.bulk import parts
from plant_classification.bulk.observations import Observation
from plant_classification.bulk.parts import by_content, by_time, in_parts

ALL = [Observation(f"{place}.jpg", (f"/nowhere/{place}.jpg",)) for place in range(20_000)]


def digests(observations: list[Observation]) -> list[str]:
    return [part.digest for part in in_parts(observations, by_time)]


def test_parts_are_all_observations_in_their_order() -> None:
    found = list(in_parts(ALL, by_time))
    assert [one for part in found for one in part.observations] == ALL
    assert 10 < len(found) < 120
    assert max(len(part.observations) for part in found) <= parts.MOST
    assert digests(ALL) == [part.digest for part in found]


@pytest.mark.parametrize("place", [0, 7_000, 19_999])
def test_a_photo_that_comes_or_goes_changes_one_part(place: int) -> None:
    before = set(digests(ALL))
    without = digests(ALL[:place] + ALL[place + 1 :])
    new = Observation("new.jpg", ("/nowhere/new.jpg",))
    with_new = digests([*ALL[:place], new, *ALL[place:]])
    for changed in (without, with_new):
        assert len(set(changed) - before) <= 2  # two where a part ended there


def test_no_part_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MOST", 10)
    assert [len(part.observations) for part in in_parts(ALL[:35], by_time)][-1] <= 10
    assert max(len(part.observations) for part in in_parts(ALL, by_time)) == 10


def test_nothing_has_no_parts() -> None:
    assert list(in_parts([], by_time)) == []


def test_a_file_is_known_by_size_and_time_or_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"one")
    one = [Observation("a", (str(file),))]

    def both() -> tuple[str, str]:
        return tuple(next(in_parts(one, stamp)).digest for stamp in (by_time, by_content))  # type: ignore[return-value]

    time, content = both()
    os.utime(file, (1, 1))
    assert both()[0] != time
    assert both()[1] == content
    before = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert both()[1] != content


@pytest.mark.parametrize("name", ["https://example.org/1.jpg", "/nowhere/1.jpg", "a\0b"])
def test_what_is_no_file_has_no_stamp(name: str) -> None:
    assert by_time(name) == by_content(name) == ""
