"""Darwin Core archives as GBIF and Pl@ntNet's IPT write them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

DWC, DC = "http://rs.tdwg.org/dwc/terms/", "http://purl.org/dc/terms/"
OCCURRENCE_TERMS = {
    "gbifID": "http://rs.gbif.org/terms/1.0/gbifID",
    "datasetName": DWC + "datasetName",
    "scientificName": DWC + "scientificName",
    "family": DWC + "family",
    "species": "http://rs.gbif.org/terms/1.0/species",
}
MEDIA_TERMS = {
    "gbifID": "http://rs.gbif.org/terms/1.0/gbifID",
    **{
        name: DC + name
        for name in (
            "type", "format", "identifier", "title", "description", "creator", "publisher",
            "license", "rightsHolder",
        )
    },
}  # fmt: skip

Rows = Sequence[Mapping[str, str]]

META = """<?xml version='1.0' encoding='utf-8'?>
<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="metadata.xml">
  <core encoding="UTF-8" linesTerminatedBy="\\n" fieldsTerminatedBy="\\t" fieldsEnclosedBy=""
        ignoreHeaderLines="1" rowType="http://rs.tdwg.org/dwc/terms/Occurrence">
    <files><location>occurrence.txt</location></files>
    <id index="0"/>
{occurrence}
  </core>
  <extension encoding="UTF-8" linesTerminatedBy="\\n" fieldsTerminatedBy="\\t" fieldsEnclosedBy=""
        ignoreHeaderLines="1" rowType="http://rs.gbif.org/terms/1.0/Multimedia">
    <files><location>multimedia.txt</location></files>
    <coreid index="0"/>
{media}
  </extension>
  <extension rowType="http://rs.tdwg.org/dwc/terms/Occurrence">
    <files><location>verbatim.txt</location></files><coreid index="0"/>
  </extension>
</archive>
"""


def write_archive(path: Path, occurrences: Rows, media: Rows, *, meta: bool = True) -> Path:
    """Write an archive: a .zip if that is how the path ends, else a folder."""
    files = {
        "occurrence.txt": tabbed(OCCURRENCE_TERMS, occurrences),
        "multimedia.txt": tabbed(MEDIA_TERMS, media),
    }
    if meta:
        files["meta.xml"] = META.format(
            occurrence=_fields(OCCURRENCE_TERMS), media=_fields(MEDIA_TERMS)
        )
    return write_files(path, files)


def write_files(path: Path, files: Mapping[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    else:
        path.mkdir(exist_ok=True)
        for name, text in files.items():
            (path / name).write_bytes(text.encode())
    return path


def tabbed(columns: Mapping[str, str], rows: Rows) -> str:
    lines = [list(columns), *([row.get(name, "") for name in columns] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _fields(terms: Mapping[str, str]) -> str:
    return "\n".join(
        f'    <field index="{index}" term="{term}"/>' for index, term in enumerate(terms.values())
    )
