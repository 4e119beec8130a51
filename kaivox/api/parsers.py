"""JSON in. Everything that two readers could understand differently is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MAX_BODY = 1024 * 1024
MAX_DEPTH = 32

# Neither can be stored: PostgreSQL has no NUL in text, and a lone surrogate has no UTF-8.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class InvalidJson(ParseError):
    default_code = "invalid_json"
    default_detail = "The body is not valid JSON."


class BodyTooLarge(APIException):
    status_code = 413
    default_code = "body_too_large"
    default_detail = "The body is larger than 1 MiB."


class StrictJSONParser(BaseParser):
    """RFC 8259, with duplicate keys, NaN, NUL and lone surrogates refused; an object at the top.

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
        return parse_object(body)


def parse_object(body: bytes) -> dict[str, Any]:
    """`body` as a JSON object. Raises InvalidJson, which says what is wrong and where."""
    try:
        value = _DECODER.decode(body.decode())
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
    _check(value, 1)
    return value


def has_unstorable(text: str) -> bool:
    """Whether `text` holds a NUL or half a surrogate pair."""
    return _UNSTORABLE.search(text) is not None


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJson(
            f"The key {_UNSTORABLE.sub('?', twice)[:40]!r} stands twice in one object."
        )
    return found


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidJson(f"The body is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, str):
        if has_unstorable(value):
            raise InvalidJson("A text holds a NUL character or half a surrogate pair.")
    elif isinstance(value, float):
        if value in (float("inf"), float("-inf")):  # 1e999
            raise InvalidJson("The body holds a number that is too large.")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
