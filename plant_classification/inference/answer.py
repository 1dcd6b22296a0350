"""The answer to one observation, and its form as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, quote_plus

import numpy as np
from numpy.typing import NDArray

from plant_classification.models import ModelFolder
from plant_classification.question import Question
from plant_classification.similarity import SimilarPhoto
from plant_classification.taxonomy import Label, Rank
from plant_classification.trust import (
    PlausibleRule,
    SafeAnswer,
    choose_safe_answer,
    plausible_sets,
)
from plant_classification.trust.rejection import REJECTED


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A label and its probability in [0, 1]."""

    label: Label
    probability: float


@dataclasses.dataclass(frozen=True)
class Taxon:
    """A genus or family and its probability in [0, 1], summed over all labels."""

    name: str
    probability: float


@dataclasses.dataclass(frozen=True)
class SeenPhoto:
    """A photo that was looked at, without its pixels; sizes are those of the file, upright."""

    name: str
    width: int
    height: int
    format: str
    sha256: str | None
    organ: str | None


@dataclasses.dataclass(frozen=True)
class PlausibleSet:
    """The labels that hold the right one with a stated coverage.

    Attributes:
        coverage: What was asked for, in (0, 1).
        promised: Whether that share of such sets holds the right label. That is known of one photo
            alone, without a species list and without a prior.
        labels: The most probable one first.
    """

    coverage: float
    promised: bool
    labels: tuple[Label, ...]


@dataclasses.dataclass(frozen=True)
class IsPlant:
    """Whether photos look like anything that the model was trained on.

    Attributes:
        probability: That a photo of a plant looks as little like one, in [0, 1].
        threshold: Below which they are rejected.
        binary: Whether the threshold is reached.
    """

    probability: float
    threshold: float
    binary: bool


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is said of one observation.

    Attributes:
        candidates: The most probable labels, best first.
        genera: The most probable genera, best first.
        families: The most probable families, best first; empty where the model knows none.
        safe_answer: The most specific taxon that can be given.
        plausible: The plausible set, or None where the model cannot promise that coverage.
        is_plant: Whether the photos look like plants; None where the model cannot say.
        rejected: Whether nothing is safe since they do not; None where the model cannot say.
        photos: What was looked at, in the order given.
        model: The model that answered.
        warnings: Sentences about what may make the answer worse.
        similar: Known photos that look most like these, best first; None where the model has no
            index.
    """

    candidates: tuple[Candidate, ...]
    genera: tuple[Taxon, ...]
    families: tuple[Taxon, ...]
    safe_answer: SafeAnswer
    plausible: PlausibleSet | None
    is_plant: IsPlant | None
    rejected: bool | None
    photos: tuple[SeenPhoto, ...]
    model: ModelFolder
    warnings: tuple[str, ...] = ()
    similar: tuple[SimilarPhoto, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON: every field is there, null where unknown; see ``schemas``."""
        names = [candidate.label.name for candidate in self.candidates]
        shares = [candidate.probability for candidate in self.candidates]
        return {
            "status": "OK",
            "labels": names,
            "probabilities": shares,
            "predictions": {
                "labels": names,
                "probabilities": shares,
                "labels_info": [_info(candidate.label) for candidate in self.candidates],
                "links": {
                    "Google Images": [_google_images(name) for name in names],
                    "Wikipedia": [_wikipedia(candidate.label) for candidate in self.candidates],
                },
            },
            "results": [
                _result(place, candidate) for place, candidate in enumerate(self.candidates, 1)
            ],
            "genera": [dataclasses.asdict(taxon) for taxon in self.genera],
            "families": [dataclasses.asdict(taxon) for taxon in self.families],
            "safe_answer": dataclasses.asdict(self.safe_answer),
            "plausible": self.plausible
            and {
                "coverage": self.plausible.coverage,
                "promised": self.plausible.promised,
                "species": [label.name for label in self.plausible.labels],
            },
            "is_plant": self.is_plant and dataclasses.asdict(self.is_plant),
            "rejected": self.rejected,
            "similar": self.similar and [dataclasses.asdict(photo) for photo in self.similar],
            "photos": [dataclasses.asdict(photo) for photo in self.photos],
            "model": {
                "name": self.model.name,
                "architecture": self.model.architecture,
                "labels": self.model.label_count,
                "version": self.model.version,
            },
            "warnings": list(self.warnings),
        }


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What photos say beside the probabilities of the labels.

    Attributes:
        plant_share: The share of plants that look as little like one; None where unknown.
        largest: The largest calibrated logit.
        may_be_safe: Whether there may be a safe answer at all.
        is_promised: Whether what is promised of safe answers and plausible sets is promised for
            such a question.
        organ: That of the photo; None where it was not said, or several photos count.
    """

    plant_share: float | None
    largest: float
    may_be_safe: bool
    is_promised: bool
    organ: str | None = None


def answer_of(
    probabilities: NDArray[np.float64],
    labels: Sequence[Label],
    ranks: Sequence[Rank],
    question: Question,
    *,
    photos: Sequence[SeenPhoto],
    model: ModelFolder,
    evidence: Evidence,
    warnings: Sequence[str] = (),
) -> Answer:
    """Rank the labels of one observation and sum them over genera and families.

    What has no probability at all, such as a label that is not on the species list, is not listed.

    Args:
        probabilities: ``float64 (labels,)``, calibrated, summing to one.
        labels: The model's labels.
        ranks: The ranks of these labels.
        question: What is asked.
        photos: The photos of the observation.
        model: The model that answered.
        evidence: What the photos say beside these probabilities.
        warnings: Sentences for the reader.
    """
    plant_share = evidence.plant_share
    is_plant = (
        None if plant_share is None else IsPlant(plant_share, REJECTED, plant_share >= REJECTED)
    )
    rejected = None if is_plant is None else not (is_plant.binary or question.no_reject)
    sums = {rank.name: (rank.taxa, rank.sum(probabilities)) for rank in ranks}
    top_k = question.top_k
    return Answer(
        candidates=tuple(
            Candidate(labels[index], float(probabilities[index]))
            for index in _best(probabilities, top_k)
        ),
        genera=_taxa(*sums["genus"], top_k),
        families=_taxa(*sums["family"], top_k),
        safe_answer=dataclasses.replace(
            choose_safe_answer(
                [
                    (rank.name, *sums[rank.name])
                    for rank in ranks
                    if rank.members[probabilities.argmax()] >= 0
                ]
                if evidence.may_be_safe and not rejected
                else [],
                question.confidence,
                model.trust.safe,
                evidence.largest,
            ),
            promised=evidence.is_promised
            and model.trust.safe is not None
            and model.trust.safe.promises(question.confidence),
        ),
        plausible=_plausible(
            probabilities,
            labels,
            model.trust.plausible_of(evidence.organ),
            question.coverage,
            is_promised=evidence.is_promised,
        ),
        is_plant=is_plant,
        rejected=rejected,
        photos=tuple(photos),
        model=model,
        warnings=tuple(warnings),
    )


def _plausible(
    probabilities: NDArray[np.float64],
    labels: Sequence[Label],
    rule: PlausibleRule | None,
    coverage: float,
    *,
    is_promised: bool,
) -> PlausibleSet | None:
    threshold = rule.threshold(coverage) if rule else None
    if threshold is None:
        return None
    inside = plausible_sets(probabilities, threshold) & (probabilities > 0)
    ordered = _best(probabilities, int(inside.sum()))
    return PlausibleSet(coverage, is_promised, tuple(labels[index] for index in ordered))


def _best(probabilities: NDArray[np.float64], top_k: int) -> NDArray[np.int64]:
    return np.argsort(-probabilities, kind="stable")[: min(top_k, np.count_nonzero(probabilities))]


def _taxa(taxa: Sequence[str], shares: NDArray[np.float64], top_k: int) -> tuple[Taxon, ...]:
    return tuple(Taxon(taxa[index], float(shares[index])) for index in _best(shares, top_k))


def _result(place: int, candidate: Candidate) -> dict[str, Any]:
    label = candidate.label
    taxon = label.species or label.genus
    return {
        "rank": place,
        "label": label.name,
        "species": label.species,
        "genus": label.genus,
        "family": label.family,
        "author": label.author,
        "probability": candidate.probability,
        "common_names": {language: list(names) for language, names in label.common_names},
        "links": {
            "gbif": f"https://www.gbif.org/species/search?q={quote_plus(taxon)}",
            "powo": f"https://powo.science.kew.org/results?q={quote_plus(taxon)}",
            "wikipedia": _wikipedia(label),
            "wikimedia": f"https://commons.wikimedia.org/wiki/Category:{_title(taxon)}",
        },
    }


def _info(label: Label) -> str:
    """What the old service said beside a label: info.txt, else the common names."""
    return label.info or ", ".join(name for _, names in label.common_names for name in names)


def _title(taxon: str) -> str:
    return quote(taxon.replace(" ", "_"))


def _google_images(name: str) -> str:
    return f"https://www.google.com/search?tbm=isch&q={quote_plus(name)}"


def _wikipedia(label: Label) -> str:
    return f"https://en.wikipedia.org/wiki/{_title(label.species or label.genus)}"
