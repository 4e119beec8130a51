"""Limits and validators of the settings of a business."""

from __future__ import annotations

import re
from typing import Final

from django.core.exceptions import ValidationError

from kaivox.api.values import zone_names

# The Origin header as browsers send it: lower case, without a path.
ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?", re.ASCII)

LONGEST_NOTICE_MINUTES: Final = 525_600  # a year
LONGEST_HORIZON_DAYS: Final = 1825
LONGEST_REMINDER_HOURS: Final = 168  # a week


def check_timezone(name: str) -> None:
    """Raises ValidationError unless `name` is an IANA time zone."""
    if name not in zone_names():
        raise ValidationError(
            "%(name)s is not an IANA time zone such as Asia/Kolkata.", params={"name": name}
        )


def check_origins(origins: object) -> None:
    """Raises ValidationError unless every item is an origin (RFC 6454: scheme, host, port)."""
    if not isinstance(origins, list):
        raise ValidationError("Enter a list of origins.")
    for origin in origins:
        if not isinstance(origin, str) or not ORIGIN.fullmatch(origin):
            raise ValidationError(
                "%(origin)s is not an origin such as https://book.example.com.",
                params={"origin": origin},
            )
