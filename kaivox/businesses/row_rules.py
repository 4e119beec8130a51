"""Checks a row by the rules of its model: field validators, `clean`, constraints, names.

Forms of the admin apply the same rules. Operations call `check_row`, so that rows written through any
other channel obey them too.
"""

from __future__ import annotations

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from kaivox.api.values import problem_of_name
from kaivox.businesses.models import BusinessOwned
from kaivox.errors import Invalid


def check_row(row: BusinessOwned) -> None:
    """Raises Invalid, with the problems by column, where `row` breaks a rule of its model.

    Foreign keys are not looked up: their rows have been loaded by the caller.
    """
    foreign_keys = {field.name for field in row._meta.concrete_fields if field.many_to_one}
    problems: dict[str, list[str]] = {}
    try:
        row.full_clean(exclude=foreign_keys)
    except ValidationError as error:
        problems = error.message_dict
    name = getattr(row, "name", "")
    if name and (problem := problem_of_name(name)):
        problems.setdefault("name", []).append(problem)
    if problems:
        general = problems.pop(NON_FIELD_ERRORS, [])
        raise Invalid(" ".join(general) or None, errors=problems)
