"""Scientific names of plants: genus, species, author and what stands below the species.

The parts are those of the International Code of Nomenclature for algae, fungi, and plants
(Shenzhen 2018): hybrids are written with ``×``, and ``x`` is read as the same sign.
"""

from __future__ import annotations

import dataclasses
import re

HYBRID = "×"
GENUS_ONLY = frozenset({"sp", "sp.", "spp", "spp.", "species"})
INFRASPECIFIC = frozenset(
    ("subsp.", "ssp.", "var.", "subvar.", "f.", "fo.", "forma", "nothosubsp.", "nothovar.")
)
_EPITHET = re.compile(r"[^\W\d_A-Z][\w-]*\.?")


@dataclasses.dataclass(frozen=True)
class Name:
    """A parsed name.

    Attributes:
        genus: Without the hybrid sign.
        species: Genus and epithet in normal form (``Mentha × piperita``), a hybrid formula whole
            (``Arum italicum × Arum maculatum``), or None where the name is only a genus.
        infraspecific: Rank and epithet below the species (``subsp. vulgare``), or None.
        author: As written, or None.
    """

    genus: str
    species: str | None
    infraspecific: str | None = None
    author: str | None = None

    @property
    def rank(self) -> str:
        """``"species"`` (subspecies and hybrids are counted there) or ``"genus"``."""
        return "species" if self.species else "genus"


def parse_name(text: str) -> Name:
    """Parse a scientific name, with or without author.

    Raises:
        ValueError: The text is empty, or its first word cannot be a genus.
    """
    words = text.replace(HYBRID, f" {HYBRID} ").replace("_", " ").split()
    words = [HYBRID if word in ("x", "X") else word for word in words]
    hybrid_genus = words[:1] == [HYBRID]
    words = words[hybrid_genus:]
    if not words or not words[0][0].isalpha():
        raise ValueError(f"{text!r} is not a scientific name: it must begin with a genus.")
    genus, rest = words[0], words[1:]
    if not rest or rest[0].lower() in GENUS_ONLY:
        return Name(genus, None)
    if rest[0] != HYBRID and not _EPITHET.fullmatch(rest[0]):
        return Name(genus, None, author=" ".join(rest))
    prefix = [HYBRID, genus] if hybrid_genus else [genus]
    if HYBRID in rest[1:] and rest[0] != HYBRID:
        return Name(genus, " ".join(prefix + rest))
    length = 2 if rest[0] == HYBRID else 1
    species = " ".join(prefix + rest[:length])
    infraspecific, author = _below_species(rest[length:])
    return Name(genus, species, infraspecific, author)


def _below_species(words: list[str]) -> tuple[str | None, str | None]:
    """Split what follows the epithet into the infraspecific part and the author."""
    for position, word in enumerate(words[:-1]):
        # 'f.' is also the end of an author (L. f.): it is a form only before an epithet.
        if word.lower() in INFRASPECIFIC and _EPITHET.fullmatch(words[position + 1]):
            author = words[position + 2 :] or words[:position]
            return f"{word} {words[position + 1]}", " ".join(author) or None
    return None, " ".join(words) or None
