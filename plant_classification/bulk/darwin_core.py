"""Rows in the terms of Darwin Core (https://dwc.tdwg.org/terms), to be joined by occurrence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from plant_classification.bulk.rows import Row, Texts

TERMS: Mapping[str, type] = {
    "occurrenceID": str,
    "scientificName": str,
    "taxonRank": str,
    "genus": str,
    "family": str,
    "identifiedBy": str,
    "dateIdentified": str,
    "identificationVerificationStatus": str,
    "identificationRemarks": str,
    "associatedMedia": Texts,
}
UNVERIFIED = "unverified"


@dataclasses.dataclass(frozen=True)
class Identifier:
    """Who identifies, and when.

    Attributes:
        name: The program with its version.
        day: ``YYYY-MM-DD``.
    """

    name: str
    day: str


def as_darwin_core(row: Row, identifier: Identifier) -> Row:
    """An identification: its name is the safe answer's, and empty where nothing is safe."""
    if row["error"]:
        remark = f"Not identified: {row['error']}"
    elif row["name"]:
        remark = (
            f"Probability {row['probability']:.3f}; of such identifications "
            f"{100 * row['confidence']:g} % are right."
        )
    else:
        first = f"{row['labels'][0]}, probability {row['probabilities'][0]:.3f}"
        why = "this looks like no plant that the model knows" if row["rejected"] else "no safe name"
        remark = f"None: {why} at {100 * row['confidence']:g} %; most probable is {first}."
    model = f", model {row['model']} {row['version']}" if row["model"] else ""
    return {
        "occurrenceID": row["observation"],
        "scientificName": row["name"],
        "taxonRank": row["rank"],
        "genus": row["genus"],
        "family": row["family"],
        "identifiedBy": identifier.name + model,
        "dateIdentified": identifier.day,
        "identificationVerificationStatus": UNVERIFIED,
        "identificationRemarks": remark,
        "associatedMedia": row["photos"],
    }
