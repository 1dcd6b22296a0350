"""Scientific names of plants: genus, species, author and what stands below the species.

The parts are those of the International Code of Nomenclature for algae, fungi, and plants
(Shenzhen 2018): hybrids are written with ``×``, and ``x`` is read as the same sign.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import unicodedata

HYBRID = "×"
GENUS_ONLY = frozenset({"sp", "sp.", "spp", "spp.", "species", "cf.", "aff."})
"""What follows a genus whose species is unknown or in doubt."""

INFRASPECIFIC = frozenset(
    ("subsp.", "ssp.", "var.", "subvar.", "f.", "fo.", "forma", "nothosubsp.", "nothovar.")
)
_EPITHET = re.compile(r"[^\W\d_][\w-]*")
_LINKS = frozenset({"ex", "et", "in", "and", "non"})
"""Words that link authors: ``L. f. ex Willd.`` names no form."""

_NO_EPITHETS = GENUS_ONLY | _LINKS
_PLAIN = re.compile("([A-Z][a-z]+) ([a-z][a-z-]+)")
"""Most names: a genus and an epithet, which need no taking apart."""


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
    def genera(self) -> tuple[str, ...]:
        """The genus, and the others that a hybrid formula names in full."""
        if not self.species or HYBRID not in self.species:
            return (self.genus,)
        words = self.species.split()
        parents = (word for sign, word in itertools.pairwise(words) if sign == HYBRID)
        named = (word for word in parents if word[0].isupper() and not word.endswith("."))
        return tuple(dict.fromkeys((self.genus, *named)))


def parse_name(text: str) -> Name:
    """Parse a scientific name, with or without author.

    Raises:
        ValueError: The text is empty, or its first word cannot be a genus.
    """
    if (plain := _PLAIN.fullmatch(text)) and plain[2] not in _NO_EPITHETS:
        return Name(plain[1], text)
    words = (
        unicodedata.normalize("NFC", text).replace(HYBRID, f" {HYBRID} ").replace("_", " ").split()
    )
    words = [HYBRID if word in ("x", "X") else word for word in words]
    hybrid_genus = words[:1] == [HYBRID]
    words = words[hybrid_genus:]
    if not words or not words[0][0].isalpha():
        raise ValueError(f"{text!r} is not a scientific name: it must begin with a genus.")
    genus, rest = words[0], words[1:]
    if not rest or rest[0].lower() in GENUS_ONLY:
        return Name(genus, None)
    signs = 1 if rest[0] == HYBRID else 0
    if not _is_epithet(rest[signs] if signs < len(rest) else ""):
        return Name(genus, None, author=None if signs else " ".join(rest))
    prefix = [HYBRID, genus] if hybrid_genus else [genus]
    if HYBRID in rest[signs:]:
        return Name(genus, " ".join(prefix + rest))
    species = " ".join(prefix + rest[: signs + 1])
    infraspecific, author = _below_species(rest[signs + 1 :])
    return Name(genus, species, infraspecific, author)


def _below_species(words: list[str]) -> tuple[str | None, str | None]:
    """Split what follows the epithet into the infraspecific part and the author."""
    for position, (word, epithet) in enumerate(itertools.pairwise(words)):
        # 'f.' is also the end of an author (L. f.): it is a form only before an epithet.
        if word.lower() in INFRASPECIFIC and _is_epithet(epithet):
            author = words[position + 2 :] or words[:position]
            return f"{word} {epithet}", " ".join(author) or None
    return None, " ".join(words) or None


def _is_epithet(word: str) -> bool:
    return word[:1].islower() and word not in _LINKS and bool(_EPITHET.fullmatch(word))
