"""The licences of all that this package stands on, as its distributions state them.

Run it with ``python -m recipes.licences > docs/licences.md`` where the extra ``dev`` is installed.
Extras that only tests and recipes need are left out.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

PACKAGE = "plant-classification"
EXTRAS = ("cluster", "fast", "index", "mlflow", "quantize", "remote", "serve", "train")
STATED = {
    # What the metadata say wrongly or not at all; read in the LICENSE file of each.
    "deepaas": "Apache-2.0",
    "namex": "Apache-2.0",
}
PYTHON_3_10 = {
    "async-timeout": "Apache Software License",
    "exceptiongroup": "MIT License",
    "pytz": "MIT License",
}
"""What is installed besides where Python is older; the page names it wherever it is made."""

PERMISSIVE = re.compile(
    r"Apache|MIT|BSD|PSF|Python Software Foundation|ISC|Zlib|CC0|Unlicense", re.IGNORECASE
)
BY_FILE = re.compile(r"MPL|Mozilla Public License", re.IGNORECASE)
"""Whoever changes a file of theirs shares that file; what uses them keeps its own licence."""

HEAD = """# Licences of what this package stands on

`python -m recipes.licences` lists them, as each distribution states its own: those of the package
and of the extras {extras}, with all that these
need in turn. All are permissive, or (MPL) ask that changes to their own files be shared; none asks
anything of what uses it beyond keeping its notices. The package itself is
[Apache-2.0](../LICENSE).

| licence | distributions |
|---|---|
"""


def licence_of(found: Distribution) -> str:
    """What a distribution says of its licence; empty where it says nothing."""
    name = found.metadata["Name"]
    if name in STATED:
        return STATED[name]
    stated = found.metadata.get_all("License-Expression", [])
    classified = [
        line.rpartition(" :: ")[2]
        for line in found.metadata.get_all("Classifier", [])
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    said = [text.partition("\n")[0] for text in found.metadata.get_all("License", [])]
    return ", ".join(stated or classified or said)


def needed(name: str = PACKAGE, extras: tuple[str, ...] = EXTRAS) -> dict[str, Distribution]:
    """All distributions that are installed because of one, by their names."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [(name, extras)]
    while waiting:
        name, extras = waiting.pop()
        try:
            one = distribution(name)
        except PackageNotFoundError:  # of an extra that is not installed here
            continue
        key = one.metadata["Name"], extras
        if key in seen:
            continue
        seen.add(key)
        found[key[0]] = one
        for line in one.requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or any(
                wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)
            ):
                waiting.append((wanted.name, tuple(sorted(wanted.extras))))
    del found[PACKAGE]
    return found


def main() -> None:
    """Print the page."""
    by_licence: dict[str, list[str]] = {}
    licences = PYTHON_3_10 | {name: licence_of(one) for name, one in needed().items()}
    for name, licence in sorted(licences.items(), key=lambda item: item[0].lower()):
        by_licence.setdefault(licence, []).append(name)
    print(HEAD.format(extras=", ".join(EXTRAS)), end="")
    for licence, names in sorted(by_licence.items(), key=lambda item: -len(item[1])):
        print(f"| {licence} | {', '.join(names)} |")


if __name__ == "__main__":
    main()
