"""What Pl@ntNet calls projects: all labels of the usual model, and the species lists beside it."""

from __future__ import annotations

import logging
from typing import Any

from plant_classification.errors import ArgumentError
from plant_classification.inference.expectation import Expectation, species_lists
from plant_classification.models import find_model, labels_of
from plant_classification.question import Question
from plant_classification.server.plantnet_format import ALL
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label

LOG = logging.getLogger("plant_classification.server")


def is_there(settings: Settings, project: str) -> bool:
    """Whether there is such a project."""
    return project in ALL or project in species_lists(settings.models_dir)


def rows(settings: Settings) -> list[dict[str, Any]]:
    """The projects as ``/v2/projects`` lists them; a list that cannot be used is left out.

    Raises:
        ModelFolderError: The model cannot be read.
    """
    model = find_model(None, settings.models_dir)
    known = labels_of(model, settings)
    found = [_row("all", f"All that the model {model.name} knows", len(known))]
    for name in species_lists(settings.models_dir):
        if name in ALL:
            LOG.warning("the species list %s is no project: there the word means all species", name)
        else:
            try:
                count = len(_listed(known, settings, name))
            except ArgumentError as fault:
                LOG.warning("the project %s is passed over: %s", name, fault)
            else:
                found.append(_row(name, f"The species list {name} of this server", count))
    return found


def labels(settings: Settings, project: str | None = None) -> tuple[Label, ...]:
    """The labels of a project, or of all.

    Raises:
        ArgumentError: The list names what the model does not know.
        ModelFolderError: The model cannot be read.
    """
    known = labels_of(find_model(None, settings.models_dir), settings)
    return known if project is None or project in ALL else _listed(known, settings, project)


def _listed(known: tuple[Label, ...], settings: Settings, name: str) -> tuple[Label, ...]:
    possible = Expectation(known, settings.models_dir).possible(Question(species_list=name))
    return tuple(label for place, label in enumerate(known) if possible is None or possible[place])


def _row(name: str, description: str, species: int) -> dict[str, Any]:
    return {"id": name, "title": name, "description": description, "speciesCount": species}
