"""Bounded HTTP: photos from addresses that strangers name, archives that the operator names."""

from plant_classification.fetching.downloads import download
from plant_classification.fetching.photos import Reply, ask, fetch

__all__ = ["Reply", "ask", "download", "fetch"]
