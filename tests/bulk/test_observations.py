"""What photos there are: in folders, by pattern, in tables, archives and lists."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest
from darwin_core_archives import write_archive

from plant_classification import Answer
from plant_classification.bulk.observations import Grouping, Observation, check_places, find
from plant_classification.bulk.rows import row_of
from plant_classification.errors import ArgumentError, DatasetError


@pytest.fixture
def park(tmp_path: Path) -> Path:
    """Photos in folders; whether they are any is looked at later."""
    folder = tmp_path / "park"
    for name in ("b.jpg", "a.JPEG", "oak/2.png", "oak/1.webp", "oak/.hidden.jpg", "oak/notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names(*places: str | Path, by: str | None = None, lines: tuple[str, ...] = ()) -> list[str]:
    return [one.name for one in find([str(place) for place in places], Grouping(by), lines)]


def test_a_folder_is_all_photos_in_it_in_the_order_of_their_names(park: Path) -> None:
    found = [str(park / name) for name in ("a.JPEG", "b.jpg", "oak/1.webp", "oak/2.png")]
    assert names(park) == found
    assert next(find([str(park)], Grouping())) == Observation(found[0], (found[0],))


def test_photos_of_one_folder_are_one_plant_if_so_asked(park: Path) -> None:
    first, second = find([str(park)], Grouping("folder"))
    assert first.name == str(park)
    assert second == Observation(
        str(park / "oak"), (str(park / "oak/1.webp"), str(park / "oak/2.png"))
    )


def test_a_link_that_leads_back_is_not_followed_and_another_is(park: Path) -> None:
    (park / "oak/back").symlink_to(park)
    (park / "oak/again").symlink_to(park / "oak")
    elsewhere = park.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "3.jpg").touch()
    (park / "oak/other").symlink_to(elsewhere)
    found = [Path(name).name for name in names(park)]
    assert found == ["a.JPEG", "b.jpg", "1.webp", "2.png", "3.jpg"]


def test_a_pattern_is_the_photos_that_it_fits(park: Path) -> None:
    assert names(park / "**/*.[jw]*") == [str(park / "b.jpg"), str(park / "oak/1.webp")]
    assert names(park / "oak/*") == [str(park / "oak/1.webp"), str(park / "oak/2.png")]
    with pytest.raises(ArgumentError, match=r"No photo fits the pattern '.*\*\.tif'"):
        names(park / "*.tif")


def test_a_name_with_brackets_is_a_name_where_there_is_one(park: Path) -> None:
    (park / "oak [1].jpg").touch()
    assert names(park / "oak [1].jpg") == [str(park / "oak [1].jpg")]


def test_files_addresses_and_a_list_stand_beside_each_other(park: Path) -> None:
    address = "https://example.org/1.jpg"
    lines = ("x y.jpg\n", "\n", f"{address}\r\n")
    assert names(park / "b.jpg", address, "-", lines=lines) == [
        str(park / "b.jpg"), address, "x y.jpg", address,
    ]  # fmt: skip


def test_what_is_not_there_is_told_before_anything_is_done(park: Path) -> None:
    check_places([str(park), str(park / "*.jpg"), "-", "https://example.org/1.jpg"])
    with pytest.raises(ArgumentError, match="prak does not exist"):
        check_places([str(park), str(park.parent / "prak")])


def test_a_column_of_photos_is_for_tables(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no column 'plant' to find photos in"):
        list(find([str(tmp_path)], Grouping(column="plant")))


def test_only_a_table_has_columns_to_group_by(park: Path) -> None:
    with pytest.raises(ArgumentError, match="no column 'plant' to group photos by"):
        names(park, by="plant")


def write(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def test_paths_of_a_table_start_from_its_folder(tmp_path: Path) -> None:
    address = "http://example.org/a?b=1"
    table = write(tmp_path / "t.csv", "id,Path,organ", "1,x/1.jpg,leaf", f"2,{address},", "3,,")
    assert list(find([str(table)], Grouping())) == [
        Observation("x/1.jpg", (str(tmp_path / "x/1.jpg"),), ("leaf",)),
        Observation(address, (address,)),
    ]


def test_rows_with_one_value_in_a_column_are_one_plant_wherever_they_stand(tmp_path: Path) -> None:
    table = write(
        tmp_path / "t.csv",
        "plant,photo,organ", "p1,1.jpg,leaf", "p2,2.jpg,", "p1,/3.jpg,",
    )  # fmt: skip
    assert list(find([str(table)], Grouping("plant"))) == [
        Observation("p1", (str(tmp_path / "1.jpg"), "/3.jpg"), ("leaf", "auto")),
        Observation("p2", (str(tmp_path / "2.jpg"),)),
    ]


def test_the_photos_of_an_archive_are_grouped_by_their_occurrence(tmp_path: Path) -> None:
    media = [
        {"gbifID": "7", "type": "StillImage", "identifier": "http://example.org/1.jpg"},
        {"gbifID": "9", "type": "StillImage", "identifier": "http://example.org/2.jpg"},
        {"gbifID": "7", "type": "Sound", "identifier": "http://example.org/3.mp3"},
        {
            "gbifID": "7", "type": "StillImage", "identifier": "http://example.org/4.jpg",
            "description": "leaf",
        },
    ]  # fmt: skip
    archive = write_archive(tmp_path / "gbif.zip", [{"gbifID": "7"}, {"gbifID": "9"}], media)
    assert list(find([str(archive)], Grouping())) == [
        Observation(
            "7", ("http://example.org/1.jpg", "http://example.org/4.jpg"), ("auto", "leaf")
        ),
        Observation("9", ("http://example.org/2.jpg",)),
    ]
    with pytest.raises(ArgumentError, match="its occurrences are the observations"):
        names(archive, by="folder")


def test_what_cannot_be_listed_is_an_observation_with_its_fault(park: Path) -> None:
    (park / "loop").symlink_to("loop")
    (park / "b\udcff.jpg").touch()
    found = list(find([str(park)], Grouping()))
    assert [Path(one.name).name for one in found] == [
        "a.JPEG", "b.jpg", "b\udcff.jpg", "1.webp", "2.png",
    ]  # fmt: skip


def test_paths_are_grouped_by_folder_wherever_they_stand(park: Path) -> None:
    first, second, third = (str(park / name) for name in ("a.JPEG", "oak/1.webp", "b.jpg"))
    expected = {str(park): (first, third), str(park / "oak"): (second,)}
    for places, lines in (((first, second, third), ()), (("-",), (first, second, third))):
        found = find(places, Grouping("folder"), [f"{line}\n" for line in lines])
        assert {one.name: one.photos for one in found} == expected
    by_pattern = find([str(park / "**/*.*")], Grouping("folder"))
    assert {one.name: len(one.photos) for one in by_pattern} == {
        str(park): 2, str(park / "oak"): 2,
    }  # fmt: skip
    of_addresses = find([f"http://example.org/x/{name}.jpg" for name in "ab"], Grouping("folder"))
    assert [one.name for one in of_addresses] == ["http://example.org/x"]


def test_a_pattern_names_each_photo_once_and_walks_folders(park: Path) -> None:
    assert len(names(park / "**/**/*.png")) == 1
    assert names(park / "o*") == names(park / "oak")
    assert sorted(names(park / "**/*")) == sorted(names(park))


def test_a_pattern_may_name_folders_at_any_depth(park: Path) -> None:
    (park / "deep").mkdir()
    shutil.copytree(park / "oak", park / "deep" / "oak")
    assert len(names(park / "**/oak")) == 2 * len(names(park / "oak")) > 0


def test_a_warning_that_names_an_odd_file_can_be_written(named: Answer) -> None:
    warned = dataclasses.replace(named, warnings=(os.fsdecode(b"\xff.jpg is small."),))
    row = row_of(Observation("odd", ("odd",)), warned, {})
    assert row["warnings"] == ["\\xff.jpg is small."]


def test_a_list_may_begin_with_a_byte_order_mark() -> None:
    assert names("-", lines=("\ufeffa.jpg\n",)) == ["a.jpg"]


def test_an_archive_names_no_files(tmp_path: Path) -> None:
    media = [{"gbifID": "7", "type": "StillImage", "identifier": "/etc/passwd"}]
    archive = write_archive(tmp_path / "gbif", [{"gbifID": "7"}], media)
    (found,) = find([str(archive)], Grouping())
    assert found.fault == "/etc/passwd is no address on the web."


def test_a_zip_that_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(DatasetError, match=r"a\.zip is no Darwin Core archive, or is damaged"):
        names(tmp_path / "a.zip")
