"""What docker/Dockerfile says, read without Docker."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
DOCKERFILE = CHECKOUT / "docker" / "Dockerfile"


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of the build; its instructions are those that it stands on and its own."""

    name: str
    base: str
    instructions: tuple[tuple[str, str], ...]

    def last(self, instruction: str) -> str:
        return [words for kind, words in self.instructions if kind == instruction][-1]

    def environment(self) -> dict[str, str]:
        pairs = [
            pair
            for kind, words in self.instructions
            if kind == "ENV"
            for pair in shlex.split(words)
        ]
        return dict(pair.split("=", 1) for pair in pairs)


def arguments() -> dict[str, str]:
    """The build arguments, with their defaults."""
    pairs = [words for kind, words in _instructions() if kind == "ARG"]
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def stages() -> list[Stage]:
    """In the order of the file: the last is what is built when none is named."""
    found: list[Stage] = []
    for kind, words in _instructions():
        if kind == "FROM":
            base, _, name = words.split()
            inherited = next((stage.instructions for stage in found if stage.name == base), ())
            found.append(Stage(name, base, inherited))
        elif found:
            grown = (*found[-1].instructions, (kind, words))
            found[-1] = dataclasses.replace(found[-1], instructions=grown)
    return found


def _instructions() -> list[tuple[str, str]]:
    lines = DOCKERFILE.read_text("utf-8").splitlines()
    code = "\n".join(line for line in lines if not line.startswith("#"))
    joined = code.replace("\\\n", " ").splitlines()
    pairs = [line.split(maxsplit=1) for line in joined if line.strip()]
    return [(kind, words.strip()) for kind, words in pairs]


def copy_context(target: Path) -> None:
    """Copy what .dockerignore, a list of exceptions, lets through to the build."""
    rules = [
        line
        for line in (CHECKOUT / ".dockerignore").read_text("utf-8").splitlines()
        if not line.startswith("#")
    ]
    first, *exceptions, last = rules
    assert (first, last) == ("*", "**/__pycache__")
    for rule in exceptions:
        assert rule.startswith("!")
        source, copy = CHECKOUT / rule[1:], target / rule[1:]
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
