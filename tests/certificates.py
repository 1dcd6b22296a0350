"""Certificates that vouch for themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path


def write_certificate(path: Path, name: str, alternative: str) -> Path:
    """Write a certificate for a host; its key stands beside it, as ``key``.

    Args:
        path: Where.
        name: The host's name or address.
        alternative: The same as OpenSSL's ``subjectAltName``: ``DNS:rose.example``.
    """
    subprocess.run(
        [  # noqa: S607
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
            "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}",
            "-keyout", path.with_name("key"), "-out", path,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return path
