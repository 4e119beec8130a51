"""Log filters and formatters: the request id in every line, secrets redacted."""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

NO_REQUEST: Final = "-"
current_request_id: ContextVar[str] = ContextVar("current_request_id", default=NO_REQUEST)

# The prefix of API keys; here and not in kaivox.businesses.auth.key_format, as imports go down only.
API_KEY_PREFIX: Final = r"kv_(?:live|test)_"
# Four characters of the key remain, by which staff can find it.
_KEY = re.compile(rf"({API_KEY_PREFIX}[0-9A-Za-z]{{4}})[0-9A-Za-z]+")
_SECRET = re.compile(r"(whsec_[0-9A-Za-z+/]{4})[0-9A-Za-z+/=_-]+")
_PARAMETER = re.compile(r"(api_key=)[^&\s\"']+", re.IGNORECASE)
# Input must not add line ends or terminal escape sequences to a log line.
_CONTROL = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029]")
# The URLs of calendar feeds and of invitations contain their tokens.
_TOKEN_IN_PATH = re.compile(r"(/(?:calendar|invitations)/)[A-Za-z0-9_:-]+")


def mask_keys(text: str) -> str:
    """`text` with each API key and webhook secret cut to `kv_live_abcd…`, and without the
    tokens of calendars and invitations."""
    for pattern in (_KEY, _SECRET, _PARAMETER, _TOKEN_IN_PATH):
        text = pattern.sub(r"\1…", text)
    return text


def escape_control(text: str) -> str:
    r"""`text` on one line: control characters as `\x1b`, ends of lines included."""
    return _escape(text).replace("\n", "\\n").replace("\t", "\\t")


def _escape(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        return True


class RedactSecretsFilter(logging.Filter):
    """Masks keys in the message and in its arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        masked = mask_keys(message)
        if masked != message:
            record.msg, record.args = masked, None
        return True


class RedactSecretsFormatter(logging.Formatter):
    """Masks keys in what a filter cannot see, the text of a traceback; escapes control characters, and
    indents further lines, so that what came from outside cannot pass for a line of the log."""

    def format(self, record: logging.LogRecord) -> str:
        return _escape(mask_keys(super().format(record))).replace("\n", "\n  ")


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for programs that collect logs. Masks keys in all of it."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", NO_REQUEST),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return mask_keys(json.dumps(line, ensure_ascii=False))
