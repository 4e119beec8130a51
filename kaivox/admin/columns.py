"""Columns of lists and pages: statuses as badges, times in the zone of the business."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, tzinfo
from enum import StrEnum
from typing import Any, Final

from django.contrib import admin
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from kaivox.line_breaks import with_breaks

EMPTY: Final = "–"
_WITHOUT_SECONDS: Final = "D j M Y, H:i T"
# Longer addresses are shortened in lists, in the middle.
_MAX_URL_LENGTH: Final = 60


class Tone(StrEnum):
    """The colour of a badge."""

    GOOD = "good"
    INFO = "info"
    WARNING = "warning"
    BAD = "bad"
    QUIET = "quiet"


def badge(text: str, tone: Tone) -> SafeString:
    return format_html('<span class="kx-badge kx-tone-{}">{}</span>', tone, capfirst(text))


def local_time(moment: datetime | None, zone: tzinfo) -> str:
    """`moment` in `zone`, with its abbreviation: `Mon 30 Nov 2026, 14:00 IST`.

    Seconds are shown where the time has any, as in logs.
    """
    if moment is None:
        return EMPTY
    local = timezone.localtime(moment, zone)
    return date_format(local, "DATETIME_FORMAT" if local.second else _WITHOUT_SECONDS)


def local_date(day: date) -> str:
    """`Mon 30 Nov 2026`, as in `local_time`."""
    return date_format(day, "D j M Y")


def wrapping(text: str) -> SafeString:
    """`text` for a list: it wraps at its separators. Where it may, the whole is its title, so that a page
    can be searched for it by a program."""
    return _titled(text, text)


def short_url(url: str) -> SafeString:
    """As `wrapping`, and a long one is shortened in the middle."""
    short = url
    if len(url) > _MAX_URL_LENGTH:
        short = f"{url[: _MAX_URL_LENGTH - 20]}…{url[-19:]}"
    return _titled(url, short)


def _titled(whole: str, shown: str) -> SafeString:
    markup = with_breaks(shown)
    return markup if markup == whole else format_html('<span title="{}">{}</span>', whole, markup)


def status_column(name: str, tones: Mapping[Any, Tone]) -> Callable[[Any, Any], SafeString]:
    """A method of a ModelAdmin: the choice field `name` as a badge, in the tone of its value, without
    what the label explains in brackets."""

    @admin.display(description=name.replace("_", " "), ordering=name)
    def column(self: Any, row: Any) -> SafeString:
        label = getattr(row, f"get_{name}_display")()
        return badge(label.partition(" (")[0], tones.get(getattr(row, name), Tone.QUIET))

    return column


@admin.display(description="status", ordering="is_active")
def active_column(self: Any, row: Any) -> SafeString:
    """A method of a ModelAdmin: `is_active` as a badge."""
    return badge("Active", Tone.GOOD) if row.is_active else badge("Inactive", Tone.QUIET)


def time_column(name: str, label: str, zone_of: Callable[[Any], tzinfo]) -> Callable[[Any], str]:
    """A column of a list: the field `name` in the zone of the row's business."""

    @admin.display(description=label, ordering=name)
    def column(row: Any) -> str:
        return local_time(getattr(row, name), zone_of(row))

    column.__name__ = name  # Django's class of the column: `column-created_at`
    return column


def breaking_column(name: str, label: str = "") -> Callable[[Any, Any], SafeString | str]:
    """A method of a ModelAdmin: the field `name`, of which long values wrap at their separators."""

    @admin.display(description=label or name.replace("_", " "), ordering=name)
    def column(self: Any, row: Any) -> SafeString | str:
        return wrapping(getattr(row, name)) or EMPTY

    return column
