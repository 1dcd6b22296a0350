"""Large files by address: they go on where they broke off, and are there whole and right or not."""

from __future__ import annotations

import dataclasses
import hashlib
import http
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.utils import get_auth_from_url, urldefragauth

from plant_classification.errors import ArgumentError, DownloadError
from plant_classification.fetching.connections import (
    HEADERS,
    HeldAdapter,
    Lifeline,
    redirect_of,
    shown,
)
from plant_classification.fetching.partial import Origin, PartialFile, held_partial

CHUNK_BYTES = 1 << 18
MOST_REDIRECTS = 10
TRIED_AGAIN = {408, 425, 429, *range(500, 600)}
MALFORMED = (
    "it must be of the form https://host/path, "
    "with special characters of a password written like %40"
)

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there, and those of the whole file, if known."""


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        silence_seconds: A connection that gives fewer than ``least_bytes`` in this time is broken
            off.
        pauses: Seconds before each further try. A try that brings at least ``least_bytes`` more
            than any before begins them anew.
        least_bytes: What counts as progress.
    """

    silence_seconds: float = 30
    pauses: tuple[float, ...] = (1, 2, 4, 8, 16)
    least_bytes: int = 1 << 16


class _BrokenOffError(Exception):
    """A try that failed in a way that another may not; its words follow the address."""


def download(
    address: str,
    target: Path,
    *,
    sha256: str | None = None,
    most_bytes: int,
    progress: Progress = lambda _have, _total: None,
    patience: Patience = Patience(),
) -> str:
    """Get a file that may be large, from an address that the operator names.

    Any host and port is asked, as the environment says (proxies, ``REQUESTS_CA_BUNDLE``, .netrc).
    What comes is kept beside the target in ``*.partial``, with ``*.partial.json`` that says what it
    is of. After a failure or Ctrl-C the same call goes on from there, if the file is still the same
    (``If-Range``, RFC 9110). What the server has compressed on its own (``Content-Encoding``)
    is stored as it comes.

    Args:
        address: https; or http, if ``sha256`` is given.
        target: The file to write; it appears when it is whole and right, and replaces another.
        sha256: What the file's SHA-256 must be: 64 hexadecimal digits; None leaves it unchecked.
        most_bytes: A file that is larger is refused.
        progress: Called with the bytes that are there, and those of the whole file, if known; they
            become fewer when it begins anew.
        patience: When to give up.

    Returns:
        The file's SHA-256, in hexadecimal.

    Raises:
        ArgumentError: ``sha256`` is not one.
        DownloadError: Everything else that goes wrong. A file that is not the right one is removed,
            and what broke off is kept where another call can go on.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ArgumentError(
            f"{sha256[:100]!r} is not a SHA-256, which has 64 hexadecimal digits.", field="sha256"
        )
    if fault := _fault(address, is_checked=sha256 is not None):
        raise DownloadError(f"{shown(address)} is not asked: {fault}.")
    request = _Request(address, sha256 is not None, most_bytes, progress, patience)
    with held_partial(target, request.key) as partial:
        _complete(request, partial)
        digest = partial.sha256()
        if sha256 is not None and digest != sha256.lower():
            partial.begin(None)
            raise DownloadError(
                f"{shown(address)} is not the file that was expected: its SHA-256 is {digest}, and "
                f"not {sha256.lower()}. It has been removed; check the address and the SHA-256."
            )
        partial.become(target)
    return digest


@dataclasses.dataclass(frozen=True)
class _Request:
    """What is asked, for all the tries of a download."""

    address: str
    is_checked: bool
    most_bytes: int
    progress: Progress
    patience: Patience

    @property
    def key(self) -> str:
        """Names the address without showing it."""
        return hashlib.sha256(self.address.encode()).hexdigest()


def _complete(request: _Request, partial: PartialFile) -> None:
    """Try until everything is there, or no try brings more."""
    pauses = request.patience.pauses
    most, failures = partial.size, 0
    while fault := _failed_try(request, partial):
        if partial.size >= most + request.patience.least_bytes:
            most, failures = partial.size, 0
        if failures == len(pauses):
            raise DownloadError(
                f"{shown(request.address)} {fault}, after {failures + 1} tries without progress. "
                f"{partial.prospect}"
            )
        time.sleep(pauses[failures])
        failures += 1


def _failed_try(request: _Request, partial: PartialFile) -> str:
    """Try to get what is missing; returns what went wrong, or nothing once all is there."""
    try:
        _go_on(request, partial)
    except _BrokenOffError as fault:
        return str(fault)
    return ""


def _go_on(request: _Request, partial: PartialFile) -> None:
    origin = partial.origin
    asked_for = {}
    if origin and partial.size:
        if origin.total == partial.size <= request.most_bytes:
            return  # it was interrupted after its last byte
        if origin.validator:
            asked_for = {"Range": f"bytes={partial.size}-", "If-Range": origin.validator}
    lifeline = Lifeline()
    with lifeline:
        response = _answer(request, asked_for, lifeline)
        total = _begin(response, request, partial)
        if (total or 0) > request.most_bytes:
            _refuse_size(request, partial)
        request.progress(partial.size, total)
        for block in _blocks(response, request.patience):
            size = partial.size + len(block)
            if size > request.most_bytes:
                _refuse_size(request, partial)
            if total is not None and size > total:
                partial.begin(None)
                raise _BrokenOffError("gave more bytes than it said")
            partial.append(block)
            request.progress(size, total)
    # An answer that is cut within its head looks like one without a length, and empty.
    is_framed = total is not None or response.raw.chunked
    if partial.size < (total or 0) or not (is_framed or partial.size):
        raise _BrokenOffError("broke off")


def _answer(request: _Request, asked_for: dict[str, str], lifeline: Lifeline) -> requests.Response:
    """The answer at the end of the redirects, its body still to be read."""
    address = shown(request.address)
    seconds = request.patience.silence_seconds
    # Each byte of dripping headers comes in time; all together they have twice the time.
    watch = threading.Timer(2 * seconds, lifeline.cut)
    watch.daemon = True
    watch.start()
    try:
        return _follow(request, asked_for, lifeline)
    except requests.Timeout:
        raise _BrokenOffError(f"gave nothing for {seconds:g} seconds") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise DownloadError(
                f"{address} shows no valid certificate; check the address, or name your own "
                "authority's certificates in REQUESTS_CA_BUNDLE."
            ) from None
        is_of_answer = isinstance(error, requests.exceptions.InvalidHeader)
        if isinstance(error, ValueError) and not is_of_answer:
            raise DownloadError(
                f"{address} cannot be asked; check it, and the proxy if the environment names one."
            ) from None
        raise _BrokenOffError(f"cannot be reached{_cause(error)}") from None
    except OSError as error:  # certificates that are not there
        raise DownloadError(f"{address} cannot be asked: {str(error).rstrip('.')}.") from None
    finally:
        watch.cancel()


def _cause(error: Exception) -> str:
    words = {
        "ProxyError": "the proxy does not let it through",
        "NameResolutionError": "its host has no address",
        "refused": "it refuses connections",
    }
    return next((f" ({meaning})" for word, meaning in words.items() if word in repr(error)), "")


def _follow(request: _Request, asked_for: dict[str, str], lifeline: Lifeline) -> requests.Response:
    seconds = request.patience.silence_seconds
    session = requests.Session()
    url: str = urldefragauth(request.address)
    password: tuple[str, str] | None = get_auth_from_url(request.address)
    for _ in range(MOST_REDIRECTS + 1):
        prepared = session.prepare_request(
            requests.Request(
                "GET",
                url,
                headers=HEADERS | asked_for,
                auth=password if password and any(password) else None,
            )
        )
        options: dict[str, Any] = dict(
            session.merge_environment_settings(prepared.url or "", {}, True, None, None)
        )
        # Not Session.send, which reads the whole body of a redirect.
        response = HeldAdapter(lifeline).send(prepared, timeout=(seconds, seconds), **options)
        location = redirect_of(response)
        if location is None:
            return response
        response.close()
        further = _further(location, url, request)
        if session.should_strip_auth(url, further):  # type: ignore[no-untyped-call]
            password = None
        url = further
    raise DownloadError(
        f"{shown(request.address)} redirects more than {MOST_REDIRECTS} times; check the address."
    )


def _further(location: str, url: str, request: _Request) -> str:
    try:
        further = urljoin(url, location)
        fault = _fault(further, is_checked=request.is_checked)
    except ValueError:
        fault = MALFORMED
    if fault:
        raise DownloadError(
            f"{shown(request.address)} redirects to an address that is not asked: {fault}."
        )
    return further


def _begin(response: requests.Response, request: _Request, partial: PartialFile) -> int | None:
    """Judge the answer's head; returns the bytes of the whole file, if known."""
    status = response.status_code
    if status == 200:
        origin = Origin(request.key, _validator(response), _length(response))
        partial.begin(origin)
        return origin.total
    if status in (206, 416):
        total = _continued(response, partial)
        if total is None:
            partial.begin(None)
            raise _BrokenOffError("does not go on where it broke off")
        return total
    words = f"answers with the status {status} ({_meaning(status)})"
    if status in TRIED_AGAIN:
        raise _BrokenOffError(words)
    raise DownloadError(f"{shown(request.address)} {words} and not with a file; check the address.")


def _continued(response: requests.Response, partial: PartialFile) -> int | None:
    """The bytes of the whole file, if the answer goes on with the same one at the right place."""
    origin = partial.origin
    told = re.fullmatch(
        r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})",
        response.headers.get("content-range", ""),
    )
    if response.status_code != 206 or not told or not origin or not origin.validator:
        return None
    start, end, total = map(int, told.groups())
    is_same = _validator(response) in (None, origin.validator) and origin.total in (None, total)
    return total if is_same and start == partial.size <= end < total else None


def _validator(response: requests.Response) -> str | None:
    etag = response.headers.get("etag", "")
    date = response.headers.get("last-modified", "")
    if re.fullmatch(r'"[!#-~]{0,200}"', etag):  # a weak one (W/) is not of these very bytes
        return etag
    return date if re.fullmatch(r"[ -~]{1,100}", date) else None


def _length(response: requests.Response) -> int | None:
    told = response.headers.get("content-length", "")
    is_told = re.fullmatch("[0-9]{1,18}", told) and "transfer-encoding" not in response.headers
    return int(told) if is_told else None


def _blocks(response: requests.Response, patience: Patience) -> Iterator[bytes]:
    """The body as it comes, not decoded."""
    since, came = time.monotonic(), 0
    while True:
        try:
            # read1 hands out what is there; read would lose it when the connection breaks off.
            block = response.raw.read1(CHUNK_BYTES, decode_content=False)
        except (urllib3.exceptions.ReadTimeoutError, TimeoutError):
            raise _BrokenOffError(
                f"gave nothing for {patience.silence_seconds:g} seconds"
            ) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            raise _BrokenOffError("broke off") from None
        if not block:
            return
        yield block
        came += len(block)
        if time.monotonic() > since + patience.silence_seconds:
            if came < patience.least_bytes:
                raise _BrokenOffError(f"gave only {came:,} bytes in the last seconds")
            since, came = time.monotonic(), 0


def _refuse_size(request: _Request, partial: PartialFile) -> None:
    partial.begin(None)
    raise DownloadError(
        f"{shown(request.address)} has more than the {request.most_bytes:,} bytes that a download "
        "may have; the setting max_model_bytes says how many."
    )


def _fault(address: str, *, is_checked: bool) -> str:
    """Why an address is not asked; nothing if it is."""
    try:
        url = urlsplit(address)
        is_whole = bool(url.hostname) and url.port != 0 and address.isprintable()
    except ValueError:
        return MALFORMED
    if url.scheme not in ("https", "http"):
        return "it must begin with https://"
    if not is_whole:
        return MALFORMED
    if url.scheme == "http" and not is_checked:
        return (
            "by http anybody on the way can change what comes; "
            "use https, or give the file's SHA-256 too"
        )
    return ""


def _meaning(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "unknown"
