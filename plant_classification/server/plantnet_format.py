"""Our answers and labels as the Pl@ntNet API words them: pure functions.

A label that is only a genus stands where the service has a species. It is called ``Rosa sp.``, the
name that botany has for it, so that nobody takes the genus for a species.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from plant_classification.inference.answer import Answer, Candidate, Taxon
from plant_classification.taxonomy import Label

ENGLISH = "en"
LANGUAGES = (
    *("ar", "be", "bg", "bn", "br", "ca", "cs", "cy", "da", "de", "de-at", "el", "en", "en-au"),
    *("eo", "es", "et", "eu", "fa", "fi", "fr", "gl", "he", "hi", "hr", "hu", "id", "it", "ja"),
    *("ku", "lt", "ml", "ms", "nb", "nl", "oc", "pl", "pt", "pt-br", "ro", "ru", "sat", "sk", "sl"),
    *("sr", "sv", "tr", "uk", "ur", "zh", "zh-hant", "zh-tw"),
)
"""Those of the service: its clients may ask for them, whatever languages the labels have."""

ALL = ("all", "best")
"""Projects that leave every label possible."""

TYPES = ("kt", "legacy")
REMAINING = 1_000_000
"""Requests that are left today: there is no quota, and clients stop at 0."""

DIGITS = 5


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a client asks beside its photos.

    Attributes:
        project: ``all``, ``best`` or the name of a species list.
        lang: Of the common names.
        nb_results: How many results to list.
        no_reject: Whether photos that show no known plant are answered, too.
        include_related_images: Whether to list similar photos.
        detailed: Whether to sum by genus and family.
        type: Of the project; it is repeated in the answer and means nothing here.
    """

    project: str
    lang: str = ENGLISH
    nb_results: int = 10
    no_reject: bool = False
    include_related_images: bool = False
    detailed: bool = False
    type: str | None = None

    @property
    def species_list(self) -> str | None:
        """The list that the project stands for."""
        return None if self.project in ALL else self.project


def identification(
    answer: Answer, asked: Asked, images: Sequence[str], organs: Sequence[str] | None
) -> dict[str, Any]:
    """The answer to ``/v2/identify``.

    Args:
        answer: With at least one candidate.
        asked: What was asked.
        images: What the photos are called: their MD5, or their addresses.
        organs: What each shows; ``auto`` where nothing was said.
    """
    results = [_result(candidate, asked) for candidate in answer.candidates]
    model = answer.model
    others = {"otherResults": _other_results(answer)} if asked.detailed else {}
    return {
        "query": {
            "project": asked.project,
            "images": list(images),
            "organs": list(organs or ["auto"] * len(images)),
            "includeRelatedImages": asked.include_related_images,
            "noReject": asked.no_reject,
            "type": asked.type,
        },
        "predictedOrgans": [],
        "language": asked.lang,
        "preferedReferential": asked.species_list or model.name,
        "bestMatch": results[0]["species"]["scientificName"],
        "results": results,
        **others,
        "version": f"{model.created:%Y-%m-%d} ({model.version})",
        "remainingIdentificationRequests": REMAINING,
    }


def species_rows(labels: Iterable[Label], lang: str, prefix: str = "") -> list[dict[str, Any]]:
    """The labels whose names begin like that, by name, as ``/v2/species`` lists them."""
    rows = [
        {
            "id": label.name,
            "commonNames": common_names(label, lang),
            "scientificNameWithoutAuthor": name_of(label),
            "scientificNameAuthorship": label.author or "",
            "genus": label.genus,
            "family": label.family or "",
            "gbifId": None,
            "powoId": None,
            "iucnCategory": None,
        }
        for label in labels
        if name_of(label).lower().startswith(prefix.strip().lower())
    ]
    return sorted(rows, key=lambda row: str(row["scientificNameWithoutAuthor"]))


def languages_of(labels: Iterable[Label]) -> list[str]:
    """Languages that can be asked for: the service's, and others that the labels have."""
    own = {language.lower() for label in labels for language, _ in label.common_names}
    return sorted(own.union(LANGUAGES))


def name_of(label: Label) -> str:
    """The name without its author; of a label that is only a genus ``Rosa sp.``."""
    if label.species is None:
        return f"{label.genus} sp."
    name = label.name.removesuffix(label.author or "").strip()
    return name if name.startswith(label.species) else label.species


def common_names(label: Label, lang: str) -> list[str]:
    """Those in a language, else those in English."""
    names = {language.lower(): list(names) for language, names in label.common_names}
    return names.get(lang) or names.get(ENGLISH, [])


def _result(candidate: Candidate, asked: Asked) -> dict[str, Any]:
    label = candidate.label
    images: dict[str, Any] = {"images": []} if asked.include_related_images else {}
    return {
        "score": round(candidate.probability, DIGITS),
        "species": {
            **_name(name_of(label), label.author or ""),
            "genus": _name(label.genus),
            "family": _name(label.family or ""),
            "commonNames": common_names(label, asked.lang),
        },
        **images,
        "gbif": {"id": None},
        "powo": {"id": None},
    }


def _other_results(answer: Answer) -> dict[str, Any]:
    return {
        "genus": [_sum("genus", taxon) for taxon in answer.genera],
        "family": [_sum("family", taxon) for taxon in answer.families],
    }


def _sum(rank: str, taxon: Taxon) -> dict[str, Any]:
    return {
        "score": round(taxon.probability, DIGITS),
        rank: _name(taxon.name),
        "gbif": {"id": None},
    }


def _name(name: str, author: str = "") -> dict[str, str]:
    return {
        "scientificNameWithoutAuthor": name,
        "scientificNameAuthorship": author,
        "scientificName": f"{name} {author}".strip(),
    }
