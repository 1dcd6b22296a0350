"""What is known before a photo is seen: which species are possible, and how common each is."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError, ModelFolderError
from plant_classification.files import decoded, identity, read_plain_file
from plant_classification.question import LIST_NAME, Question
from plant_classification.taxonomy import Label
from plant_classification.taxonomy.priors import Prior, read_prior
from plant_classification.taxonomy.species_lists import NameIndex, read_species_list

LIST_SUFFIX = ".txt"
PRIOR = "prior.csv"
MOST_BYTES = 50_000_000
KEPT = 8


class Expectation:
    """Species lists and prior.csv of a models folder, for a model's labels; each file read once.

    Args:
        labels: The model's.
        models_dir: Where lists with a name are, and prior.csv.
    """

    def __init__(self, labels: Sequence[Label], models_dir: Path) -> None:
        self._labels = labels
        self._models_dir = models_dir
        self._list = functools.lru_cache(KEPT)(self._read_list)
        self._prior = functools.lru_cache(1)(self._read_prior)

    @functools.cached_property
    def _index(self) -> NameIndex:
        return NameIndex.of(self._labels)

    def possible(self, question: Question) -> NDArray[np.bool_] | None:
        """Which labels the species list of a question leaves, ``bool (labels,)``; None for all.

        Raises:
            ArgumentError: There is no such list, or it cannot be used.
        """
        chosen = question.species_list
        path, _ = files_of(question, self._models_dir)
        if path is None:
            return None
        try:
            return self._list(path, *identity(path))
        except FileNotFoundError:
            there = "" if isinstance(chosen, Path) else f" {self._lists()}"
            raise ArgumentError(
                f"There is no species list {str(chosen)!r}.{there}", field="species_list"
            ) from None
        except OSError as error:
            fault = f"Species list {path.name} cannot be read: {error.strerror}."
            raise ArgumentError(fault, field="species_list") from None
        except ValueError as error:
            raise ArgumentError(str(error), field="species_list") from None

    def factors(self, question: Question) -> NDArray[np.float64] | None:
        """What prior.csv multiplies probabilities by, ``float64 (labels,)``; None for nothing.

        Raises:
            ArgumentError: A region or a month is asked for, and there is no prior for it.
            ModelFolderError: prior.csv cannot be used.
        """
        _, path = files_of(question, self._models_dir)
        asked = "region" if question.region is not None else "month" if question.month else None
        try:
            prior = self._prior(path, *identity(path))
        except FileNotFoundError:
            if asked:
                raise ArgumentError(
                    f"{asked} needs a {PRIOR} in the models folder, and there is none.", field=asked
                ) from None
            return None
        except OSError as error:
            raise ModelFolderError(f"{path} cannot be read: {error.strerror}.") from None
        except ValueError as error:
            raise ModelFolderError(str(error)) from None
        if question.region is not None and question.region not in prior.regions:
            raise ArgumentError(
                f"region must be one that {PRIOR} names ({', '.join(prior.regions) or 'none'}), "
                f"not {question.region!r}.",
                field="region",
            )
        factors = prior.factors(question.region, question.month)
        if factors is None and asked:
            raise ArgumentError(
                f"{PRIOR} has no species of this model for that region and month.", field=asked
            )
        return factors

    def _read_list(self, path: Path, *_identity: int) -> NDArray[np.bool_]:
        return read_species_list(_text(path), path.name, self._index)

    def _read_prior(self, path: Path, *_identity: int) -> Prior:
        return read_prior(_text(path), str(path), self._index, len(self._labels))

    def _lists(self) -> str:
        names = species_lists(self._models_dir)
        return f"There are: {', '.join(names)}." if names else "There is none in the models folder."


def species_lists(models_dir: Path) -> list[str]:
    """Names of the lists in a models folder."""
    return sorted(
        path.stem
        for path in models_dir.glob(f"*{LIST_SUFFIX}")
        if path.is_file() and LIST_NAME.fullmatch(path.stem)
    )


def files_of(question: Question, models_dir: Path) -> tuple[Path | None, Path]:
    """The file of the species list, or None where all are possible; and that of the prior."""
    chosen = question.species_list
    listed = models_dir / f"{chosen}{LIST_SUFFIX}" if isinstance(chosen, str) else chosen
    return listed, models_dir / PRIOR


def _text(path: Path) -> str:
    return decoded(read_plain_file(path, MOST_BYTES), path.name)
