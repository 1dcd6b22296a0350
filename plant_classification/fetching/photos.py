"""Photos by address: bytes from public addresses alone, within a limit of bytes and seconds."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import socket
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3
from requests_hardened.ip_filter import EXTRA_BLOCKED_NET_RANGES, InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter

from plant_classification.errors import (
    PhotoError,
    SlowUrlError,
    UnreachableUrlError,
    UrlError,
)
from plant_classification.fetching.connections import (
    HEADERS,
    HeldAdapter,
    Lifeline,
    redirect_of,
    shown,
)
from plant_classification.settings import Settings

PORTS = {"http": 80, "https": 443}
CHUNK_BYTES = 65536

GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""The only IPv6 addresses in public use (RFC 4291); what embeds IPv4 elsewhere is outside."""
AZURE_METADATA = ipaddress.ip_address("168.63.129.16")

REFUSED = (
    "This address is refused: photos are fetched from public hosts that the settings allow, by "
    "http or https, on the ports 80 and 443, without a password in the address. "
    "Send the photo itself."
)
SWITCHED_OFF = "Photos are not fetched by address here (allow_urls). Send the photo itself."


@dataclasses.dataclass(frozen=True)
class Reply:
    """What an address answers.

    Attributes:
        status: Of HTTP.
        content: What it holds; empty where the status is not 200.
        wait_seconds: How long the server asks to be left alone (``Retry-After``, RFC 9110), or
            None.
    """

    status: int
    content: bytes = b""
    wait_seconds: float | None = None


def fetch(address: str, settings: Settings) -> bytes:
    """Get what an address holds; see :func:`ask`, whose errors it has too.

    Raises:
        UnreachableUrlError: Not a 200.
    """
    reply = ask(address, settings)
    if reply.status != 200:
        raise UnreachableUrlError(
            f"{shown(address)} answers with the status {reply.status} and not 200; "
            "check it, or send the photo itself."
        )
    return reply.content


def ask(address: str, settings: Settings) -> Reply:
    """Ask an address, whatever it answers.

    Every answer of the name's resolution must be a public address, and so must the one that is
    connected to, again at each redirect. Proxies, .netrc and cookies are not used.

    Args:
        address: http or https.
        settings: For ``max_photo_bytes``, ``allow_urls`` and the settings that begin with ``url``.

    Raises:
        UrlError: Addresses are switched off; or this one is refused, in the same words whatever
            the reason.
        UnreachableUrlError: No such host, no answer or no valid certificate.
        SlowUrlError: More than ``settings.url_seconds`` in all.
        PhotoError: More than ``settings.max_photo_bytes``.
    """
    lifeline = Lifeline()
    outcome: Future[Reply] = Future()
    deadline = time.monotonic() + settings.url_seconds

    def work() -> None:
        try:
            with lifeline:
                reply = _follow(address, settings, deadline, lifeline)
            outcome.set_result(reply)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            outcome.set_exception(error)

    # In a thread, since neither name resolution nor dripping headers can be given a deadline.
    threading.Thread(target=work, name="fetch", daemon=True).start()
    try:
        return outcome.result(settings.url_seconds)
    except FutureTimeoutError:
        lifeline.cut()
        raise SlowUrlError(
            f"{shown(address)} did not deliver within {settings.url_seconds:g} seconds; "
            "try again, or send the photo itself."
        ) from None


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is on the public internet, and holds no other address inside it."""
    if address.version == 6 and address not in GLOBAL_UNICAST:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and address != AZURE_METADATA
        and not any(address in network for network in EXTRA_BLOCKED_NET_RANGES)
    )


class _PublicAdapter(HeldAdapter, IPFilterAdapter):  # type: ignore[misc]
    """Connects to the address that was checked; the parent does so, but checks one answer alone."""

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, *arguments: Any, **options: Any
    ) -> Any:
        url = urlsplit(request.url or "")
        for answer in socket.getaddrinfo(url.hostname, _port(url), type=socket.SOCK_STREAM):
            self._check(str(answer[4][0]))
        host, pool = super().build_connection_pool_key_attributes(request, *arguments, **options)
        self._check(host["host"].strip("[]"))
        return host, pool

    @staticmethod
    def _check(address: str) -> None:
        if not is_public(ipaddress.ip_address(address)):
            raise UrlError(REFUSED)


def _follow(address: str, settings: Settings, deadline: float, lifeline: Lifeline) -> Reply:
    url = address
    for _ in range(settings.url_redirects + 1):
        request, is_private = _checked_request(url, settings)
        is_https = urlsplit(request.url).scheme == "https"
        adapter = (
            HeldAdapter(lifeline)
            if is_private
            else _PublicAdapter(lifeline, is_https_proto=is_https)
        )
        # A second more than there is, so that lateness is always told by the one who waits.
        seconds = max(deadline - time.monotonic(), 0) + 1
        try:
            # Not Session.send, which reads the whole body of a redirect.
            with adapter.send(request, stream=True, timeout=(seconds, seconds)) as response:
                further = redirect_of(response)
                if further is None:
                    if response.status_code != 200:
                        return Reply(response.status_code, wait_seconds=_wait_seconds(response))
                    return Reply(200, _body(response, address, settings))
                url = urljoin(url, further)
        except InvalidIPAddress:
            raise UrlError(REFUSED) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
            raise UnreachableUrlError(
                f"{shown(address)} cannot be reached; check it, or send the photo itself."
            ) from None
    raise UnreachableUrlError(
        f"{shown(address)} redirects more than {settings.url_redirects} times; "
        "give the address of the photo itself."
    )


def _checked_request(address: str, settings: Settings) -> tuple[requests.PreparedRequest, bool]:
    """The request for one address, and whether the settings name its host as a private one."""
    if not settings.allow_urls:
        raise UrlError(SWITCHED_OFF)
    try:
        given = urlsplit(address)
        if given.scheme not in PORTS or set("@ ") & set(given.netloc):
            raise UrlError(REFUSED)
        request = requests.Request("GET", address, headers=HEADERS).prepare()
        url = urlsplit(request.url or "")
        port = _port(url)
    except ValueError:
        raise UrlError(REFUSED) from None
    host = (url.hostname or "").rstrip(".")
    pair = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    is_private = pair in {named.lower() for named in settings.url_private_hosts}
    is_allowed = port in PORTS.values() and (
        not settings.url_hosts or host in {named.lower() for named in settings.url_hosts}
    )
    if not host or not (is_private or is_allowed):
        raise UrlError(REFUSED)
    return request, is_private


def _body(response: requests.Response, address: str, settings: Settings) -> bytes:
    limit = settings.max_photo_bytes
    declared = response.headers.get("content-length", "")
    content = bytearray()
    if not (declared.isdecimal() and int(declared) > limit):
        for chunk in response.iter_content(CHUNK_BYTES):
            content += chunk
            if len(content) > limit:
                break
        else:
            return bytes(content)
    raise PhotoError(
        f"{shown(address)} has more than the {limit:,} bytes that a photo may have; "
        "send a smaller one."
    )


def _wait_seconds(response: requests.Response) -> float | None:
    told = response.headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]{1,9}", told):
        return float(told)
    try:
        until = parsedate_to_datetime(told)
        left = until.replace(tzinfo=until.tzinfo or timezone.utc) - datetime.now(timezone.utc)
    except (ValueError, OverflowError):
        return None
    return max(left.total_seconds(), 0)


def _port(url: SplitResult) -> int:
    return url.port or PORTS[url.scheme]
