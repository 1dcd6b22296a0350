"""The starter's recipe without fifteen of its labels: for what is said of plants not learnt."""

from __future__ import annotations

from pathlib import Path

from recipes import starter

LABELS = (
    # One of each genus that has two or more.
    "Anemone hupehensis",
    "Dianthus barbatus",
    "Iris domestica",
    "Oenothera speciosa",
    "Primula x polyantha",
    "Tulipa gesneriana",
    # Of families that keep another.
    "Celosia argentea",
    "Curcuma alismatifolia",
    "Datura sp.",
    "Digitalis purpurea",
    "Gerbera jamesonii",
    "Gladiolus sp.",
    "Helleborus sp.",
    "Paphiopedilum sp.",
    "Triticum aestivum",
)


def networks(work: Path) -> starter.Pair:
    """Train them, or read what an earlier call trained; a fifth of the photos is held back."""
    return starter.trained(work / "unknown", starter.FOR_CHOICE, None, LABELS)
