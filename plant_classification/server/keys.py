"""API keys: who may ask. The file holds salted hashes, so that reading it lets nobody in.

A key is 32 random bytes, which nobody guesses; so one round of SHA-256 is enough, and costs a
request next to nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
import secrets
from pathlib import Path

from plant_classification.errors import ArgumentError
from plant_classification.files import replacing

NAME = re.compile(r"[\w.@-]{1,64}")
LINE = re.compile(r"([\w.@-]{1,64}) ([0-9a-f]{32}) ([0-9a-f]{64})")


@dataclasses.dataclass(frozen=True)
class Key:
    """What is known of a key.

    Attributes:
        name: Whose it is.
        salt: 16 random bytes.
        digest: SHA-256 of salt and key.
    """

    name: str
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, name: str, key: str) -> Key:
        """With a new salt."""
        salt = secrets.token_bytes(16)
        return cls(name, salt, _digest(salt, key))

    def fits(self, key: str) -> bool:
        """Whether it is that key, found out in the same time whichever it is."""
        return hmac.compare_digest(self.digest, _digest(self.salt, key))


def read_keys(file: Path) -> tuple[Key, ...]:
    """The keys of a file: a line each, with name, salt and digest.

    Raises:
        ArgumentError: It cannot be read, or a line is none.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except OSError as error:
        raise ArgumentError(f"{file} cannot be read: {error.strerror}.", field="api_keys") from None
    except ValueError:
        raise ArgumentError(f"{file} is no file of keys; give another.", field="api_keys") from None
    keys = []
    for number, line in enumerate(lines, 1):
        found = LINE.fullmatch(line.strip())
        if found:
            name, salt, digest = found.groups()
            keys.append(Key(name, bytes.fromhex(salt), bytes.fromhex(digest)))
        elif line.strip():
            raise ArgumentError(
                f"{file}, line {number}: this is no key; remove the line.",
                field="api_keys",
            )
    return tuple(keys)


def add_key(file: Path, name: str) -> str:
    """Make a key and write what is known of it into a file, which nobody else may read.

    Returns:
        The key; it is nowhere else.

    Raises:
        ArgumentError: Such a name cannot be, or is there already.
        OSError: The file cannot be written.
    """
    if not NAME.fullmatch(name):
        raise ArgumentError(
            f"A key's name has letters, digits, '.', '_', '-' and '@', not {name!r}.", field="name"
        )
    keys = read_keys(file) if file.exists() else ()
    if any(key.name == name for key in keys):
        raise ArgumentError(
            f"{file} has a key named {name!r} already: take its line out first.", field="name"
        )
    key = secrets.token_urlsafe(32)
    lines = [
        f"{one.name} {one.salt.hex()} {one.digest.hex()}\n" for one in (*keys, Key.of(name, key))
    ]
    with replacing(file) as partial:
        partial.chmod(0o600)
        partial.write_text("".join(lines), "utf-8")
    return key


def owner_of(key: str, keys: tuple[Key, ...]) -> str | None:
    """Whose key it is; None for nobody's."""
    fitting = [one.name for one in keys if one.fits(key)]
    return fitting[0] if fitting else None


def _digest(salt: bytes, key: str) -> bytes:
    return hashlib.sha256(salt + key.encode("utf-8", "surrogatepass")).digest()
