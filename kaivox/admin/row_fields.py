"""Form fields whose value is a list: of rows, edited in a table as the admin's inlines are, or of lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.forms.formsets import BaseFormSet, formset_factory
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    _FormSet = BaseFormSet[forms.Form]
else:
    _FormSet = BaseFormSet

INVALID_ROWS: Final = "Correct the rows below."


class LinesField(forms.CharField):
    """A list of strings, one per line."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 60, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        if isinstance(value, list):
            return value
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class RowsFormSet(_FormSet):
    """One form for each stored row. A row whose fields are all empty does not count."""

    def initial_form_count(self) -> int:
        return 0  # a row that is stored can be emptied, like a new one

    def total_form_count(self) -> int:
        return super().total_form_count() if self.is_bound else len(self.initial or ())

    def rows(self) -> list[dict[str, Any]]:
        """The values of the rows that are not empty, once they are valid."""
        return [form.cleaned_data for form in self.forms if form.cleaned_data]


class RowsWidget(forms.Widget):
    """The table. Its value is the submitted RowsFormSet, or what initial forms show."""

    def __init__(self, formset: type[RowsFormSet], noun: str) -> None:
        super().__init__()
        self.formset = formset
        self.noun = noun

    @property
    def media(self) -> forms.Media:
        # Django's script of inlines adds and removes the rows; it needs jQuery, which comes first.
        script = forms.Media(js=["admin/js/jquery.init.js", "admin/js/inlines.js"])
        return script + self.formset().empty_form.media

    def value_from_datadict(self, data: Any, files: Any, name: str) -> RowsFormSet:
        return self.formset(data, prefix=name)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}-TOTAL_FORMS" not in data

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        rows = value if isinstance(value, RowsFormSet) else self.formset(initial=value, prefix=name)
        options = {"prefix": name, "addText": f"Add another {self.noun}", "deleteText": "Remove"}
        script = json.dumps({"name": f"#{name}", "options": options})
        # Not by `renderer`, which finds Django's own templates alone.
        return render_to_string("admin/rows_widget.html", {"rows": rows, "script": script})

    def id_for_label(self, id_: str) -> str:
        return ""  # each input has a label of its own


class RowsField(forms.Field):
    """A list that `to_stored` makes of the values of `row`, one mapping for each row of the table;
    `to_initial` is its inverse. `noun` is what one row is called."""

    def __init__(
        self,
        row: type[forms.Form],
        *,
        noun: str,
        to_stored: Callable[[list[dict[str, Any]]], list[Any]],
        to_initial: Callable[[list[Any]], Sequence[dict[str, Any]]],
        max_rows: int,
        **kwargs: Any,
    ) -> None:
        formset: type[Any] = formset_factory(
            row,
            RowsFormSet,
            extra=0,
            max_num=max_rows,
            validate_max=True,
            absolute_max=max_rows + 1,
        )
        super().__init__(required=False, widget=RowsWidget(formset, noun), **kwargs)
        self._to_stored = to_stored
        self._to_initial = to_initial

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, RowsFormSet) else self._to_initial(value or [])

    def clean(self, value: RowsFormSet) -> list[Any]:
        if not value.is_valid():
            raise forms.ValidationError([*value.non_form_errors()] or INVALID_ROWS)
        return self._to_stored(value.rows())

    def has_changed(self, initial: Any, data: Any) -> bool:
        return not data.is_valid() or self._to_stored(data.rows()) != (initial or [])


class RowForm(forms.Form):
    """Base of rows: the columns have the labels, which each input repeats for screen readers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            label = field.label or name.replace("_", " ")
            parts = field.widget.widgets if isinstance(field.widget, AdminSplitDateTime) else ()
            for part, what in zip(parts, ("date", "time"), strict=False):
                part.attrs["aria-label"] = f"{label}, {what}"
            if not parts:
                field.widget.attrs["aria-label"] = label
