"""How DEEPaaS reads a request here, and what it answers where one cannot be used.

Importing the module changes the parser of webargs, which reads the arguments of every request.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import re
import reprlib
import uuid
from typing import Any, NoReturn

from aiohttp import web
from marshmallow import ValidationError, fields
from webargs import aiohttpparser
from webargs.core import get_value, missing

from plant_classification import schemas
from plant_classification.errors import SlowRequestError, UnavailableError
from plant_classification.settings import Settings, load_settings

LOG = logging.getLogger(__name__)

MOST_LISTED = 100
INTERNAL = "The server made an error; whoever runs it finds more in its log."

# What webargs calls "form" is read by _from_body, JSON as well.
aiohttpparser.parser.locations = ("querystring", "form")


@functools.cache
def settings() -> Settings:
    """Those of the machine."""
    return load_settings()


_get_schema = aiohttpparser.parser._get_schema  # noqa: SLF001


@functools.cache
def _schema(kind: Any) -> Any:
    """The schema of a class; webargs makes it for each request, a tenth of a server's work."""
    return _get_schema(kind, None)


aiohttpparser.parser._get_schema = lambda kind, _request: _schema(kind)  # noqa: SLF001


class RequestError(web.HTTPException):
    """An error as HTTP; it survives pickling, since DEEPaaS hands it from one process to another.

    Args:
        status: The HTTP status.
        message: One sentence.
        errors: Rules that were broken, by argument.
        retry_after: Seconds until the same request is worth another try.
        request_id: What the server's log calls the request.
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: dict[str, list[str]],
        retry_after: int | None = None,
        request_id: str | None = None,
    ) -> None:
        self.status_code = status
        request_id = request_id or uuid.uuid4().hex
        self._arguments = (status, message, errors, retry_after, request_id)
        body = {"status": "error", "message": message, "errors": errors, "request_id": request_id}
        super().__init__(
            text=json.dumps(body),
            content_type="application/json",
            headers=None if retry_after is None else {"Retry-After": str(retry_after)},
        )
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments


def not_stored(error: OSError) -> RequestError:
    """What is answered where the server cannot write what was sent; the log is told why."""
    refusal = RequestError(
        UnavailableError.status,
        "The server cannot store what was sent; send it again later. Whoever runs it finds more in "
        "its log.",
        {},
        UnavailableError.retry_after,
    )
    LOG.error("request %s: what was sent cannot be stored: %s", refusal.request_id, error)
    return refusal


def plain(value: Any, field: fields.Field) -> Any:
    """The value of an argument as its field reads it.

    Where the field has the mark ``schemas.AS_JSON``, a value may be JSON in a string; one that
    is empty or null is not given; and a list or an object is handed to a field of text as JSON.
    """
    if not field.metadata.get(schemas.AS_JSON):
        return value
    inner = _from_json(value) if isinstance(value, str) else value
    if inner in (None, ""):
        return missing
    if isinstance(field, fields.Str) and not isinstance(inner, str):
        return _as_json(value) if isinstance(value, (bool, int, float, list, dict)) else value
    return inner


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value)
    except RecursionError:
        return repr(type(value))  # which is no JSON, and is refused as such


@aiohttpparser.parser.location_handler("querystring")  # type: ignore[untyped-decorator]
async def _from_query(request: web.Request, name: str, field: fields.Field) -> Any:
    """An argument from the address, unless it is empty there and not in the body.

    Raises:
        RequestError: The body, where webargs would not look any more, has another value.
    """
    value = plain(_short(get_value(request.query, name, field), name), field)
    if value is missing:
        return value
    in_body = await _from_body(request, name, field)
    if not _is_given(value):
        return in_body if _is_given(in_body) else value
    if _is_given(in_body) and in_body != value:
        rule = "Came in the address and otherwise in the body: send it in one of them."
        status = web.HTTPUnprocessableEntity.status_code
        raise RequestError(status, f"{name}: {rule}", {name: [rule]})
    return value


def _is_given(value: Any) -> bool:
    """Whether a value says anything: what a form sends for an empty field does not."""
    values = value if isinstance(value, list) else [value]
    return any(one not in (missing, None, "") for one in values)


@aiohttpparser.parser.location_handler("form")  # type: ignore[untyped-decorator]
async def _from_body(request: web.Request, name: str, field: fields.Field) -> Any:
    """An argument from the body of its own request.

    webargs 5.5 keeps bodies in the parser, where those of requests beside it find them.
    """
    if "body" not in request:
        request["body"] = await _read_body(request)
    return plain(_short(get_value(request["body"], name, field), name), field)


def _short(value: Any, name: str) -> Any:
    """A value that is not a list far longer than any that can be meant: it would be read for long.

    Raises:
        RequestError: It is.
    """
    if isinstance(value, list) and len(value) > MOST_LISTED:
        rule = f"Must have at most {MOST_LISTED} values, not {len(value):,}."
        status = web.HTTPUnprocessableEntity.status_code
        raise RequestError(status, f"{name}: {rule}", {name: [rule]})
    return value


async def _read_body(request: web.Request) -> Any:
    encoding = ", ".join(request.headers.getall("Content-Encoding", ["identity"]))
    if encoding.lower() != "identity":  # a few bytes could become gigabytes
        raise RequestError(
            web.HTTPUnsupportedMediaType.status_code,
            f"The body comes as {encoding[:40]!r}; send it as it is, without Content-Encoding.",
            {},
        )
    try:
        is_json = request.content_type == schemas.JSON
        reading = request.json() if is_json else request.post()
        body: Any = await asyncio.wait_for(reading, settings().deadline_seconds)
        if is_json:
            return body
    except asyncio.TimeoutError:
        raise RequestError(
            SlowRequestError.status,
            f"The body did not come within {settings().deadline_seconds:g} seconds.",
            {},
        ) from None
    except web.HTTPRequestEntityTooLarge:
        raise RequestError(
            web.HTTPRequestEntityTooLarge.status_code,
            "The body has more bytes than the server takes; send fewer photos, or smaller ones.",
            {},
        ) from None
    except Exception as error:  # noqa: BLE001 - aiohttp raises anything for a malformed body
        if isinstance(error, OSError) and not isinstance(error, ConnectionError):
            raise not_stored(error) from None  # aiohttp keeps large photos in files
        raise RequestError(
            web.HTTPBadRequest.status_code,
            "The body cannot be read: send a form (multipart/form-data or urlencoded) or JSON.",
            {},
        ) from None

    _refuse_photos_that_nobody_reads(body)
    return body


def _refuse_photos_that_nobody_reads(body: Any) -> None:
    """Refuse a second photo under one name, which DEEPaaS drops, and a sixth one."""
    for name in filter(re.compile(r"data\d*").fullmatch, set(body)):
        count = len(body.getall(name))
        if count > 1 or name not in schemas.PHOTO_FIELDS:
            rule = (
                f"Send each photo under a name of its own, of {', '.join(schemas.PHOTO_FIELDS)}: "
                f"{name!r} came {count} time{'s' if count > 1 else ''}."
            )
            status = web.HTTPUnprocessableEntity.status_code
            raise RequestError(status, rule, {name: [rule]})


@aiohttpparser.parser.error_handler  # type: ignore[untyped-decorator]
async def _refuse(error: ValidationError, *_context: Any) -> NoReturn:
    """What webargs refuses, such as a number out of range, in the form of all other errors."""
    errors = {
        name: [f"{rule} {came} came." for rule in dict.fromkeys(_rules(messages))]
        for name, messages in error.messages_dict.items()
        for came in [_came(error.data, name)]
    }
    sentence = " ".join(f"{name}: {rule}" for name, rules in errors.items() for rule in rules)
    raise RequestError(web.HTTPUnprocessableEntity.status_code, sentence, errors)


def _rules(messages: Any) -> list[str]:
    """The sentences in marshmallow's messages; those of lists are nested by position."""
    if isinstance(messages, dict):
        return [rule for inner in messages.values() for rule in _rules(inner)]
    return [str(message) for message in messages]


def _came(data: Any, name: str) -> str:
    value = data.get(name)
    values = value if isinstance(value, list) else [value]
    is_file = any(isinstance(item, web.FileField) for item in values)
    return "A file" if is_file else reprlib.repr(value)
