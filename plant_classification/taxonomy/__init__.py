"""Labels, names and ranks: what a model's outputs are called, and what they add up to."""

from plant_classification.taxonomy.labels import Label, label_of, read_labels, write_labels
from plant_classification.taxonomy.names import Name, parse_name
from plant_classification.taxonomy.ranks import RANKS, Rank, ranks_of

__all__ = [
    "RANKS",
    "Label",
    "Name",
    "Rank",
    "label_of",
    "parse_name",
    "ranks_of",
    "read_labels",
    "write_labels",
]
