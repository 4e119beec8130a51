"""Wall times of a working day, as minutes after midnight: 0 is `00:00`, 1440 is `24:00`.

`datetime.time` has no 24:00, which is where a window ends that runs on into the next day.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models

if TYPE_CHECKING:
    _SmallInteger = models.PositiveSmallIntegerField[Any, Any]
else:
    _SmallInteger = models.PositiveSmallIntegerField

DAY_MINUTES: Final = 24 * 60

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::00)?", re.ASCII)


def parse_clock(text: str) -> int:
    """`09:30` → 570. Raises ValueError with a sentence for a person."""
    match = _CLOCK.fullmatch(text.strip())
    hours, minutes = (int(part) for part in match.groups()) if match else (99, 99)
    if minutes > 59 or hours * 60 + minutes > DAY_MINUTES:
        raise ValueError("Write a time as HH:MM, from 00:00 to 24:00.")
    return hours * 60 + minutes


def format_clock(minute: int) -> str:
    """570 → `09:30`."""
    return f"{minute // 60:02}:{minute % 60:02}"


class ClockInput(forms.TextInput):
    def format_value(self, value: Any) -> str | None:
        return format_clock(value) if isinstance(value, int) else value


class ClockFormField(forms.CharField):
    """`HH:MM` in a form, minutes in the model."""

    widget = ClockInput

    def __init__(self, **kwargs: Any) -> None:
        for name in ("min_value", "max_value"):
            kwargs.pop(name, None)
        super().__init__(**kwargs)
        self.widget.attrs |= {"size": 6, "placeholder": "09:00"}

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        try:
            return parse_clock(str(value))
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        shown = format_clock(initial) if isinstance(initial, int) else initial
        return super().has_changed(shown, data)


class MinuteOfDayField(_SmallInteger):
    """A wall time as minutes after midnight, 0 to 1440; `HH:MM` in forms."""

    default_validators = [MaxValueValidator(DAY_MINUTES)]

    def formfield(self, **kwargs: Any) -> Any:
        # The admin would bring its own widget for numbers.
        return super().formfield(**{"form_class": ClockFormField, **kwargs, "widget": ClockInput})
