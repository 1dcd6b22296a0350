"""Darwin Core archives, as GBIF and Pl@ntNet hand them out: occurrences, and photos by address.

Each photo is joined with its occurrence, which says what plant it shows. The photos themselves are
elsewhere: :mod:`plant_classification.data.downloading.photos` makes a data set of them.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Container, Generator, Iterator, Mapping
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from plant_classification.data.darwin_core.files import Table, is_archive, opened_tables
from plant_classification.data.darwin_core.meta import ID
from plant_classification.errors import DatasetError
from plant_classification.question import NAMED_ORGANS
from plant_classification.taxonomy import family_of, parse_name

PHOTO_TABLE = "photos.csv"
"""What a folder has once photos have been downloaded into it."""


TAXON_COLUMNS = (ID, "species", "scientificname", "family", "datasetname", "institutioncode")
ADDRESS_COLUMNS = (ID, "accessuri", "identifier", "type", "format")
ORGAN_COLUMNS = ("subjectpart", "title", "description", "tag")
LICENCE_COLUMNS = ("license", "usageterms", "rights")
HOLDER_COLUMNS = ("rightsholder", "owner")
MEDIA_COLUMNS = (
    *ADDRESS_COLUMNS, *ORGAN_COLUMNS, *LICENCE_COLUMNS, *HOLDER_COLUMNS, "creator", "publisher",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Taxon:
    """What is known of an occurrence; one object for all of which the same is known.

    Attributes:
        species: Genus and epithet in normal form, without author.
        family: As the archive says, else by its genus; or None.
        source: The data set or institution that it comes from, or None.
    """

    species: str
    family: str | None
    source: str | None


@dataclasses.dataclass(frozen=True)
class ListedPhoto:
    """A photo that an archive lists.

    Attributes:
        url: Where it is.
        occurrence: The archive's identifier of the occurrence: the photos of one plant.
        species, family: What it shows; the family is None where it is unknown.
        source: The data set, institution, publisher or host that it comes from.
        organ: What part it shows, where the archive says so; or None.
        licence, author, rights_holder: As written; empty where unknown.
    """

    url: str
    occurrence: str
    species: str
    family: str | None
    source: str
    organ: str | None
    licence: str
    author: str
    rights_holder: str


@dataclasses.dataclass(frozen=True)
class DarwinCoreArchive:
    """An archive, joined.

    Attributes:
        path: The folder or .zip.
        taxa: What is known of each occurrence that has photos and a species.
        photo_count: Photos of these.
        notes: Sentences on what is left out.
    """

    path: Path
    taxa: Mapping[str, Taxon]
    photo_count: int
    notes: tuple[str, ...]

    @property
    def species_count(self) -> int:
        """How many species there are."""
        return len({taxon.species for taxon in self.taxa.values()})

    def photos(self) -> Generator[ListedPhoto, None, None]:
        """The photos in the order of the archive, read as they are asked for.

        Raises:
            DatasetError: A fault, with file and line.
        """
        with opened_tables(self.path) as (_, media):
            for row in _photo_rows(media):
                if taxon := self.taxa.get(row[ID]):
                    yield _listed(row, taxon)


def is_darwin_core(path: Path) -> bool:
    """Whether a folder or .zip is an archive, and no photos have been downloaded into it."""
    return is_archive(path) and not (path / PHOTO_TABLE).exists()


def read_archive(path: Path, families: Mapping[str, str]) -> DarwinCoreArchive:
    """Read which occurrences have photos and what they show; no file is held in memory.

    Args:
        path: A folder or a .zip.
        families: The family of each genus, for occurrences that name none.

    Raises:
        DatasetError: A fault, with file and line; or no photo of a species.
    """
    with opened_tables(path) as (occurrences, media):
        photos_of = Counter(row[ID] for row in _photo_rows(media))
        known = dict(_taxa(occurrences, photos_of, families))
    taxa = {key: taxon for key, taxon in known.items() if taxon}
    count = sum(photos_of[key] for key in taxa)
    unnamed = sum(photos_of[key] for key in known) - count
    unlisted = sum(photos_of.values()) - count - unnamed
    notes = []
    if unnamed:
        notes.append(f"Photos left out, for no species is named: {unnamed:,}.")
    if unlisted:
        notes.append(f"Photos left out, for their occurrence is not listed: {unlisted:,}.")
    if not count:
        raise DatasetError(f"{path} lists no photo of a species. {' '.join(notes)}".rstrip())
    return DarwinCoreArchive(path, taxa, count, tuple(notes))


def refuse_darwin_core(path: Path, families: Mapping[str, str]) -> NoReturn:
    """Say how an archive becomes a data set: its photos must be downloaded first.

    Raises:
        DatasetError: Always: with the command to give, or with a fault of the archive.
    """
    archive = read_archive(path, families)
    raise DatasetError(
        f"{path} is a Darwin Core archive, which lists {archive.photo_count:,} photos of "
        f"{archive.species_count:,} species by their addresses. Download them into a folder, "
        f"then give that: plant-classification dataset download {path} FOLDER"
    )


def photos_of_occurrences(path: Path) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Of each occurrence with photos its identifier, and address and organ of each; named or not.

    Args:
        path: A folder or a .zip.

    Raises:
        DatasetError: A fault, with file and line.
    """
    found: dict[str, list[tuple[str, str | None]]] = {}
    with opened_tables(path) as (_, media):
        for row in _photo_rows(media):
            found.setdefault(row[ID], []).append((_url(row), _organ(row)))
    yield from found.items()


def _photo_rows(media: Table) -> Iterator[dict[str, str]]:
    """The rows that name a photo and its occurrence."""
    for fields in media.rows(MEDIA_COLUMNS):
        row = dict(zip(MEDIA_COLUMNS, fields, strict=True))
        kind, form = row["type"].lower(), row["format"].lower()
        is_photo = kind.endswith("image") if kind else form.startswith("image/") or not form
        if is_photo and row[ID] and _url(row) and _url(row).isprintable():
            yield row


def _url(row: Mapping[str, str]) -> str:
    return row["accessuri"] or row["identifier"]


def _listed(row: Mapping[str, str], taxon: Taxon) -> ListedPhoto:
    url = _url(row)
    return ListedPhoto(
        url,
        row[ID],
        taxon.species,
        taxon.family,
        taxon.source or row["publisher"] or host_of(url),
        _organ(row),
        _first(row, LICENCE_COLUMNS),
        row["creator"],
        _first(row, HOLDER_COLUMNS),
    )


def host_of(url: str) -> str:
    """The host that an address names; empty where it names none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _organ(row: Mapping[str, str]) -> str | None:
    """The organ, where a field says nothing else or says it after a colon."""
    words = (row[column].rpartition(":")[2].strip().lower() for column in ORGAN_COLUMNS)
    return next((word for word in words if word in NAMED_ORGANS), None)


def _first(row: Mapping[str, str], columns: tuple[str, ...]) -> str:
    return next((row[column] for column in columns if row[column]), "")


def _taxa(
    occurrences: Table, wanted: Container[str], families: Mapping[str, str]
) -> Iterator[tuple[str, Taxon | None]]:
    """What is known of each occurrence that is wanted; None where no species is named."""
    known: dict[tuple[str, ...], Taxon | None] = {}
    for key, *told in occurrences.rows(TAXON_COLUMNS):
        if key in wanted:
            facts = tuple(told)
            if facts not in known:
                known[facts] = _taxon(facts, families)
            yield key, known[facts]


def _taxon(facts: tuple[str, ...], families: Mapping[str, str]) -> Taxon | None:
    species, scientific_name, family, data_set, institution = facts
    try:
        name = parse_name(species or scientific_name)
    except ValueError:
        return None
    if name.species is None or not name.genus[0].isupper():
        return None
    placed = family or family_of(name, families)
    return Taxon(name.species, placed, data_set or institution or None)
