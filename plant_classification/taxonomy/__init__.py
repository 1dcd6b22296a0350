"""Labels, names and ranks: what a model's outputs are called, and what they add up to."""

from plant_classification.taxonomy.families import family_of, load_families
from plant_classification.taxonomy.labels import (
    Label,
    label_of,
    labels_from,
    listed,
    read_labels,
    remarks,
    write_labels,
)
from plant_classification.taxonomy.names import Name, parse_name
from plant_classification.taxonomy.ranks import RANKS, Rank, ranks_of

__all__ = [
    "RANKS",
    "Label",
    "Name",
    "Rank",
    "family_of",
    "label_of",
    "labels_from",
    "listed",
    "load_families",
    "parse_name",
    "ranks_of",
    "read_labels",
    "remarks",
    "write_labels",
]
