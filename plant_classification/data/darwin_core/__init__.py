"""Darwin Core archives, as GBIF hands them out: occurrences of species, and addresses of photos."""

from plant_classification.data.darwin_core.archive import (
    PHOTO_TABLE,
    DarwinCoreArchive,
    ListedPhoto,
    host_of,
    is_darwin_core,
    photos_of_occurrences,
    read_archive,
    refuse_darwin_core,
)

__all__ = [
    "PHOTO_TABLE",
    "DarwinCoreArchive",
    "ListedPhoto",
    "host_of",
    "is_darwin_core",
    "photos_of_occurrences",
    "read_archive",
    "refuse_darwin_core",
]
