"""Darwin Core archives: which photos they list, and what each shows."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from darwin_core_archives import MEDIA_TERMS, OCCURRENCE_TERMS, tabbed, write_archive, write_files

from plant_classification.data.darwin_core import (
    ListedPhoto,
    is_darwin_core,
    read_archive,
    refuse_darwin_core,
)
from plant_classification.errors import DatasetError

FAMILIES = {"Bellis": "Asteraceae", "Quercus": "Fagaceae"}

OCCURRENCES = [
    {
        "gbifID": "101",
        "datasetName": "Pl@ntNet observations",
        "scientificName": "Bellis perennis L.",
        "species": "Bellis perennis",
        "family": "Asteraceae",
    },
    {"gbifID": "102", "scientificName": "Quercus ilex L.", "species": "Quercus ilex"},
    {"gbifID": "103", "scientificName": "Quercus L."},
]
MEDIA = [
    {
        "gbifID": "101",
        "type": "StillImage",
        "format": "image/jpeg",
        "identifier": "https://photos.example/o/1",
        "title": "Bellis perennis L.: flower",
        "creator": "Ada",
        "license": "http://creativecommons.org/licenses/by-sa/4.0/",
        "rightsHolder": "Ada Lovelace",
    },
    {"gbifID": "101", "type": "StillImage", "identifier": "https://photos.example/o/2"},
    {"gbifID": "102", "identifier": "https://photos.example/o/3", "publisher": "A herbarium"},
]


def listed(path: Path) -> list[ListedPhoto]:
    return list(read_archive(path, FAMILIES).photos())


@pytest.fixture(params=["archive", "archive.zip"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


@pytest.mark.parametrize("meta", [True, False])
def test_photos_are_joined_with_their_occurrences(path: Path, meta: bool) -> None:
    write_archive(path, OCCURRENCES, MEDIA, meta=meta)
    assert is_darwin_core(path)
    first, second, third = listed(path)
    assert first == ListedPhoto(
        url="https://photos.example/o/1",
        occurrence="101",
        species="Bellis perennis",
        family="Asteraceae",
        source="Pl@ntNet observations",
        organ="flower",
        licence="http://creativecommons.org/licenses/by-sa/4.0/",
        author="Ada",
        rights_holder="Ada Lovelace",
    )
    assert (second.occurrence, second.organ, second.author) == ("101", None, "")
    assert (third.species, third.family, third.source) == (
        "Quercus ilex",
        "Fagaceae",
        "A herbarium",
    )


def test_the_source_is_the_host_where_nothing_else_is_said(tmp_path: Path) -> None:
    media = [{"gbifID": "102", "identifier": "https://photos.example/o/3"}]
    (photo,) = listed(write_archive(tmp_path / "archive", OCCURRENCES, media))
    assert photo.source == "photos.example"


@pytest.mark.parametrize(
    ("names", "species"),
    [
        ({"scientificName": "Mentha x piperita L."}, "Mentha × piperita"),
        ({"scientificName": "Acer negundo var. texanum Pax"}, "Acer negundo"),
        (
            {"scientificName": "Bellis perennis L.", "species": "Bellis sylvestris"},
            "Bellis sylvestris",
        ),
    ],
)
def test_the_label_is_the_species_without_author(
    tmp_path: Path, names: dict[str, str], species: str
) -> None:
    archive = write_archive(tmp_path / "archive", [{"gbifID": "101", **names}], MEDIA[:1])
    assert listed(archive)[0].species == species


def test_what_no_species_is_named_for_is_left_out_and_counted(tmp_path: Path) -> None:
    media = [
        *MEDIA,
        {"gbifID": "103", "identifier": "https://photos.example/o/4"},
        {"gbifID": "104", "identifier": "https://photos.example/o/5"},
        {"gbifID": "104", "identifier": "https://photos.example/o/6"},
    ]
    archive = read_archive(write_archive(tmp_path / "archive", OCCURRENCES, media), FAMILIES)
    assert archive.photo_count == len(list(archive.photos())) == 3
    assert archive.species_count == 2
    assert archive.notes == (
        "Photos left out, for no species is named: 1.",
        "Photos left out, for their occurrence is not listed: 2.",
    )


@pytest.mark.parametrize(
    "row",
    [
        {"type": "Sound", "identifier": "https://photos.example/song"},
        {"format": "video/mp4", "identifier": "https://photos.example/film"},
        {"type": "StillImage", "identifier": ""},
    ],
)
def test_sounds_films_and_media_without_address_are_no_photos(
    tmp_path: Path, row: dict[str, str]
) -> None:
    media = [{"gbifID": "102", **row}, *MEDIA]
    assert len(listed(write_archive(tmp_path / "archive", OCCURRENCES, media))) == len(MEDIA)


@pytest.mark.parametrize(
    ("title", "organ"),
    [
        ("leaf", "leaf"),
        ("Quercus ilex L.: Bark", "bark"),
        ("A leaf, and a flower", None),
        ("Baden-Baden: Kurpark", None),
    ],
)
def test_an_organ_is_taken_only_where_it_stands_alone(
    tmp_path: Path, title: str, organ: str | None
) -> None:
    archive = write_archive(tmp_path / "archive", OCCURRENCES, [MEDIA[1] | {"title": title}])
    assert listed(archive)[0].organ == organ


def test_quoted_fields_other_columns_and_constants_are_read_as_meta_xml_says(
    tmp_path: Path,
) -> None:
    meta = """<archive xmlns="http://rs.tdwg.org/dwc/text/">
      <core encoding="latin-1" fieldsTerminatedBy="," fieldsEnclosedBy='"' ignoreHeaderLines="0"
            rowType="http://rs.tdwg.org/dwc/terms/Occurrence">
        <files><location>plants.csv</location></files>
        <id index="1"/>
        <field index="0" term="http://rs.tdwg.org/dwc/terms/scientificName"/>
        <field term="http://rs.tdwg.org/dwc/terms/institutionCode" default="The garden"/>
      </core>
      <extension fieldsTerminatedBy=";" rowType="http://rs.tdwg.org/ac/terms/Multimedia">
        <files><location>pictures.csv</location></files>
        <coreid index="0"/>
        <field index="1" term="http://rs.tdwg.org/ac/terms/accessURI"/>
        <field index="2" term="http://rs.tdwg.org/ac/terms/subjectPart"/>
        <field index="3" term="http://ns.adobe.com/xap/1.0/rights/Owner"/>
      </extension></archive>"""
    archive = write_files(tmp_path / "archive", {"meta.xml": meta})
    (archive / "plants.csv").write_bytes(
        '"Bellis perennis L., ""daisy""\n",7\r\n'.encode("latin-1")
    )
    (archive / "pictures.csv").write_text("7;https://photos.example/7;flower;José\n", "utf-8")
    (photo,) = listed(archive)
    assert photo.species == "Bellis perennis"
    assert (photo.source, photo.organ, photo.rights_holder) == ("The garden", "flower", "José")


def test_an_archive_wrapped_into_a_folder_is_read(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    write_files(
        path,
        {
            "0012-26/verbatim/multimedia.txt": "another\n",
            "0012-26/occurrence.txt": tabbed(OCCURRENCE_TERMS, OCCURRENCES),
            "0012-26/multimedia.txt": tabbed(MEDIA_TERMS, MEDIA),
        },
    )
    assert is_darwin_core(path)
    assert len(listed(path)) == 3


def test_carriage_returns_and_a_byte_order_mark_are_no_part_of_a_field(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", OCCURRENCES, MEDIA, meta=False)
    for name in ("occurrence.txt", "multimedia.txt"):
        text = (archive / name).read_text("utf-8").replace("\n", "\r\n")
        (archive / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert [photo.occurrence for photo in listed(archive)] == ["101", "101", "102"]


def test_a_folder_of_something_else_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "meta.xml").write_text("<package/>")
    assert not is_darwin_core(tmp_path)
    assert not is_darwin_core(tmp_path / "meta.xml")
    assert not is_darwin_core(tmp_path / "nowhere")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    assert not is_darwin_core(tmp_path / "broken.zip")


def test_an_archive_alone_is_no_data_set_and_says_what_to_do(path: Path) -> None:
    write_archive(path, OCCURRENCES, MEDIA)
    with pytest.raises(DatasetError) as caught:
        refuse_darwin_core(path, FAMILIES)
    assert "3 photos of 2 species" in caught.value.message
    assert f"plant-classification dataset download {path} FOLDER" in caught.value.message


def fault_of(path: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        listed(path)
    return caught.value.message


def test_a_line_with_too_few_fields_is_named(path: Path) -> None:
    occurrences = tabbed(OCCURRENCE_TERMS, OCCURRENCES) + "104\tcut\n"
    files = {"occurrence.txt": occurrences, "multimedia.txt": tabbed(MEDIA_TERMS, MEDIA)}
    write_files(path, files)
    assert f"{path}, occurrence.txt, line 5: there are 2 fields" in fault_of(path)


def test_what_is_not_utf8_is_told(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", OCCURRENCES, MEDIA)
    with (archive / "multimedia.txt").open("ab") as file:
        file.write(b"102\t\xff\n")
    assert "multimedia.txt, after line" in fault_of(archive)
    assert "not utf-8" in fault_of(archive)


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    occurrences = tabbed(OCCURRENCE_TERMS, OCCURRENCES) + "a" * 60_000_000
    files = {"occurrence.txt": occurrences, "multimedia.txt": tabbed(MEDIA_TERMS, MEDIA)}
    path = write_files(tmp_path / "archive.zip", files)
    del occurrences, files
    tracemalloc.start()
    try:
        assert "more than 1,000,000 characters" in fault_of(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["occurrence.txt", "multimedia.txt"])
def test_a_file_that_is_not_there_is_told(path: Path, name: str) -> None:
    full = write_archive(path.parent / "full", OCCURRENCES, MEDIA)
    files = {file.name: file.read_text("utf-8") for file in full.iterdir() if file.name != name}
    write_files(path, files)
    assert f"there is no {name}" in fault_of(path)
    del files["meta.xml"]
    write_files(path.parent / "without", files)
    assert f"there is no {name}" in fault_of(path.parent / "without")


def test_a_truncated_zip_is_told(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "archive.zip", OCCURRENCES, MEDIA)
    path.write_bytes(path.read_bytes()[:-40])
    assert "archive.zip cannot be read" in fault_of(path)


def test_damaged_bytes_in_a_zip_are_told(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "archive.zip", OCCURRENCES * 200, MEDIA)
    content = bytearray(path.read_bytes())
    content[60:80] = bytes(20)
    path.write_bytes(content)
    assert "archive.zip" in fault_of(path)


META_OF_TAXA = """<archive xmlns="http://rs.tdwg.org/dwc/text/">
<core rowType="http://rs.tdwg.org/dwc/terms/Taxon"><files><location>taxa.txt</location></files>
<id index="0"/></core></archive>"""


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (META_OF_TAXA, "names no table of occurrences"),
        ("<archive", "meta.xml, line 1: unclosed token"),
        (
            '<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;">]><archive>&c;</archive>',
            "line 1: a document type is not read",
        ),
        (META_OF_TAXA.replace("taxa.txt", "../../etc/passwd"), "line 2: '../../etc/passwd' is not"),
        (META_OF_TAXA.replace("taxa.txt", ""), "line 2: '' is not the name of a file"),
        (META_OF_TAXA.replace('index="0"', 'index="-1"'), "line 3: -1 is not the place"),
        (META_OF_TAXA.replace('index="0"', 'index="one"'), "line 3: invalid literal"),
        (META_OF_TAXA.replace("rowType", 'fieldsTerminatedBy="||" rowType'), "line 2: fields"),
        (META_OF_TAXA.replace("rowType", 'encoding="klingon" rowType'), "line 2: unknown encoding"),
    ],
)
def test_a_meta_xml_that_cannot_be_used_is_told_with_its_line(
    tmp_path: Path, meta: str, words: str
) -> None:
    archive = write_archive(tmp_path / "archive", OCCURRENCES, MEDIA)
    (archive / "meta.xml").write_text(meta)
    assert words in fault_of(archive)


def test_an_archive_without_photos_of_a_species_is_told(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", OCCURRENCES[2:], MEDIA)
    assert "lists no photo of a species" in fault_of(archive)
    none: list[dict[str, Any]] = []
    assert "lists no photo" in fault_of(write_archive(tmp_path / "empty", none, none))


def test_rows_are_read_as_they_come(tmp_path: Path) -> None:
    """The memory is that of the occurrences with photos, whatever else the files hold."""
    others = [{"gbifID": str(number), "species": "Quercus ilex"} for number in range(1000, 41_000)]
    archive = write_archive(tmp_path / "archive.zip", OCCURRENCES + others, MEDIA)
    tracemalloc.start()
    try:
        assert read_archive(archive, FAMILIES).photo_count == 3
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
