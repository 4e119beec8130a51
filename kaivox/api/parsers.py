"""Strict JSON parser: rejects whatever two parsers could read differently."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from math import isinf
from typing import IO, Any, NoReturn

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from kaivox.api.request_context import context_of

MAX_BODY = 1024 * 1024
MAX_DEPTH = 32
MAX_MEMBERS = 1000  # of one object
MAX_ITEMS = 1000  # of one array
MAX_CONTAINERS = 10_000  # objects and arrays in all

# Neither can be stored: PostgreSQL has no NUL in text, and a lone surrogate has no UTF-8.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
UNSTORABLE_TEXT = "A text holds a NUL character or half a surrogate pair."


class InvalidJson(ParseError):
    default_code = "invalid_json"
    default_detail = "The body is not valid JSON."


class BodyTooLarge(APIException):
    status_code = 413
    default_code = "body_too_large"
    default_detail = "The body is larger than 1 MiB."


class StrictJSONParser(BaseParser):
    """RFC 8259 without duplicate keys, NaN, NUL and lone surrogates; an object at the top level.

    The limits on depth, members and items bound the cost of validating the body afterwards.
    Raises InvalidJson, BodyTooLarge.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        body = stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise BodyTooLarge
        request = (parser_context or {}).get("request")
        if request is not None:
            context_of(request).request_body = body
        return parse_object(body)


def parse_object(body: bytes) -> dict[str, Any]:
    """`body` as a JSON object. Raises InvalidJson, which says what is wrong and where."""
    value, has_escapes = decode_object(body)
    # NUL and halves of surrogate pairs pass the decoders only as escapes.
    _check(value, has_escapes=has_escapes)
    return value


def decode_object(body: bytes) -> tuple[dict[str, Any], bool]:
    """`body` as a JSON object, not yet checked for depth, items and texts that no column holds;
    and whether it has Unicode escapes. Raises InvalidJson."""
    if has_too_many_containers(body):
        raise InvalidJson(f"The body holds more than {MAX_CONTAINERS:,} objects and arrays.")
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode()
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise InvalidJson(f"The body is not UTF-8 (byte {error.start}).") from error
    except json.JSONDecodeError as error:
        raise InvalidJson(
            f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from error
    except ValueError as error:  # a number of more than 4,300 digits
        raise InvalidJson("The body holds a number that is too long.") from error
    except RecursionError as error:
        raise InvalidJson(f"The body is nested more than {MAX_DEPTH} levels deep.") from error
    if not isinstance(value, dict):
        raise InvalidJson("The body must be a JSON object.")
    return value, "\\u" in text


def has_too_many_containers(body: bytes) -> bool:
    """Whether JSON has more than MAX_CONTAINERS objects and arrays: a mebibyte of `[],[],…` takes
    the decoder a second, as the garbage collector walks over all of them again and again."""
    if body.count(b"[") + body.count(b"{") <= MAX_CONTAINERS:
        return False
    outside = _STRING.sub(b"", body)
    return outside.count(b"[") + outside.count(b"{") > MAX_CONTAINERS


def has_unstorable(text: str) -> bool:
    """Whether `text` holds a NUL or half a surrogate pair."""
    return _UNSTORABLE.search(text) is not None


def _reject_constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:
        raise InvalidJson(f"An object has more than {MAX_MEMBERS:,} members.")
    found = dict(pairs)
    if len(found) < len(pairs):
        name = _UNSTORABLE.sub("?", _first_duplicate(pairs))[:40]
        raise InvalidJson(f"The key {name!r} appears twice in one object.")
    return found


def _first_duplicate(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    raise ValueError("There is no duplicate.")


def _check(body: dict[str, Any], *, has_escapes: bool) -> None:
    """Raises InvalidJson for what is valid JSON but is not accepted here.

    A loop over levels instead of a recursion over values: a mebibyte holds half a million of them.
    """
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for container in level:
            is_list = type(container) is list
            if is_list and len(container) > MAX_ITEMS:
                raise InvalidJson(f"An array has more than {MAX_ITEMS:,} items.")
            if not is_list and has_escapes and any(map(has_unstorable, container)):
                raise InvalidJson(UNSTORABLE_TEXT)
            for value in container if is_list else container.values():
                kind = type(value)
                if kind is dict or kind is list:
                    if value:
                        below.append(value)
                elif kind is str:
                    if has_escapes and has_unstorable(value):
                        raise InvalidJson(UNSTORABLE_TEXT)
                elif kind is float and isinf(value):  # 1e999
                    raise InvalidJson("The body holds a number that is too large.")
        if not below:
            return
        level = below
    raise InvalidJson(f"The body is nested more than {MAX_DEPTH} levels deep.")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_reject_constant)
