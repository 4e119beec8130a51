"""Errors: an exception for each code."""

from __future__ import annotations

from typing import Final

from api_document import camel, error_codes

from generator.python_source import HEADER, docstring

# `NotImplemented` is a name of Python's.
_NAMES: Final = {"not_implemented": "NotImplementedByServer"}


def errors_source() -> str:
    codes = error_codes()
    bases = sorted({error.base for error in codes})
    lines = [
        HEADER,
        "from collections.abc import Mapping",
        "from typing import Final",
        "",
        f"from kaivox._errors import APIError, {', '.join(bases)}",
        "",
        f"__all__ = {sorted(_error_name(error.code) for error in codes)!r}",
    ]
    for error in codes:
        text = f"{error.status} `{error.code}`: {_lower_first(error.cause)}. {error.fix}."
        lines += ["", f"class {_error_name(error.code)}({error.base}):", docstring(text, 4)]
    lines += ["", "BY_CODE: Final[Mapping[str, type[APIError]]] = {"]
    lines += [f'    "{error.code}": {_error_name(error.code)},' for error in codes]
    lines += ["}"]
    return "\n".join(lines)


def _error_name(code: str) -> str:
    return _NAMES.get(code, camel(code))


def _lower_first(text: str) -> str:
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
