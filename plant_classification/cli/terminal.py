"""Text that strangers chose, such as names of files, as a terminal can show it."""

from __future__ import annotations


def shown(text: str) -> str:
    """The text, with a mark for what cannot be printed, or would command the terminal."""
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    return "".join(
        sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text
    )
