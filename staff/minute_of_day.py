"""Model and form fields of local times as minutes after midnight: 0 is `00:00`, 1440 is `24:00`.

`datetime.time` has no 24:00, at which a window ends that continues on the next day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models

from kaivox.api.values import DAY_MINUTES, parse_wall_time

if TYPE_CHECKING:
    _SmallInteger = models.PositiveSmallIntegerField[Any, Any]
else:
    _SmallInteger = models.PositiveSmallIntegerField


def format_clock(minute: int) -> str:
    """570 → `09:30`."""
    return f"{minute // 60:02}:{minute % 60:02}"


class ClockInput(forms.TextInput):
    """A text input that shows minutes as `HH:MM`."""

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
            return parse_wall_time(str(value))
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        shown = format_clock(initial) if isinstance(initial, int) else initial
        return super().has_changed(shown, data)


class MinuteOfDayField(_SmallInteger):
    """A local time as minutes after midnight, 0 to 1440; `HH:MM` in forms."""

    default_validators = [MaxValueValidator(DAY_MINUTES)]

    def formfield(self, **kwargs: Any) -> Any:
        # The admin would replace the widget with its own for numbers.
        return super().formfield(**{"form_class": ClockFormField, **kwargs, "widget": ClockInput})
