"""Rows in the terms of Darwin Core (https://dwc.tdwg.org/terms), to be joined by occurrence."""

from __future__ import annotations

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


def as_darwin_core(row: Row, program: str) -> Row:
    """An identification: its name is the safe answer's, and empty where nothing is safe.

    Args:
        row: The row.
        program: What identifies, with its version.
    """
    if row["error"]:
        remark = f"Not identified: {row['error']}"
    elif row["name"]:
        promise = f"; of such identifications {100 * row['confidence']:g} % are right"
        remark = f"Probability {row['probability']:.3f}{promise if row['promised'] else ''}."
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
        "identifiedBy": program + model,
        "dateIdentified": row["date"],
        "identificationVerificationStatus": UNVERIFIED,
        "identificationRemarks": remark,
        "associatedMedia": row["photos"],
    }
