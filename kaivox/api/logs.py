"""The request id in every log line, and no API key in any."""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="-")

# The form of kaivox.businesses.keys; a prefix of the key stays, so that staff can find it.
_KEY = re.compile(r"(kv_(?:live|test)_[0-9A-Za-z]{4})[0-9A-Za-z]+")
_PARAMETER = re.compile(r"(api_key=)[^&\s\"']+", re.IGNORECASE)
# The address of a person's calendar is its key.
_CALENDAR = re.compile(r"(/calendar/)[A-Za-z0-9_-]+")


def mask_keys(text: str) -> str:
    """`text` with each API key cut to `kv_live_abcd…`, and without calendars' addresses."""
    return _CALENDAR.sub(r"\1…", _PARAMETER.sub(r"\1…", _KEY.sub(r"\1…", text)))


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        return True


class MaskKeys(logging.Filter):
    """Masks keys in the message and in its arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        masked = mask_keys(message)
        if masked != message:
            record.msg, record.args = masked, None
        return True


class MaskingFormatter(logging.Formatter):
    """Masks keys in what a filter cannot see: the text of a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_keys(super().format(record))
