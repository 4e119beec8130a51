"""No two ranges of one key overlap, whoever writes: one constraint for both databases.

PostgreSQL has EXCLUDE for it. SQLite has not, so there it is two triggers. Django's own
ExclusionConstraint makes `migrate` fail on SQLite, and triggers made by RunSQL are lost without a
word when SQLite's schema editor remakes the table at the next AlterField; as a constraint of the
model they are made again with the table.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, IntegrityError
from django.db.backends.ddl_references import Statement, Table
from django.db.models import BaseConstraint, Func, Model, Q


class TsTzRange(Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class NoOverlap(BaseConstraint):
    """Rows with the same `key` never overlap in [`start`, `end`), but for those whose `status` is
    one of `excluded_statuses`. Field names throughout; the table has a column `status`."""

    def __init__(
        self,
        *,
        name: str,
        key: str,
        start: str,
        end: str,
        excluded_statuses: Sequence[str],
        violation_error_code: str | None = None,
        violation_error_message: Any = None,
    ) -> None:
        self.key, self.start, self.end = key, start, end
        self.excluded_statuses = tuple(str(status) for status in excluded_statuses)
        super().__init__(
            name=name,
            violation_error_code=violation_error_code,
            violation_error_message=violation_error_message,
        )

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        kwargs |= {
            "key": self.key,
            "start": self.start,
            "end": self.end,
            "excluded_statuses": self.excluded_statuses,
        }
        return path, args, kwargs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoOverlap) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash((self.name, self.key, self.start, self.end, self.excluded_statuses))

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        """What stands in CREATE TABLE. SQLite also calls it when it remakes a table."""
        if schema_editor.connection.vendor == "postgresql":
            return self._exclusion().constraint_sql(model, schema_editor)
        schema_editor.deferred_sql.extend(self._triggers(model, schema_editor))
        return None

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        """For AddConstraint. On SQLite that remakes the table, and `constraint_sql` is called."""
        if schema_editor.connection.vendor == "postgresql":
            return self._exclusion().create_sql(model, schema_editor)
        return None

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        if schema_editor.connection.vendor == "postgresql":
            return self._exclusion().remove_sql(model, schema_editor)
        return None

    def validate(
        self,
        model: Any,
        instance: Any,
        exclude: Collection[str] | None = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """Raises ValidationError; a form asks before the database has to."""
        needed = (self.key, self.start, self.end)
        if {*needed, "status"} & set(exclude or ()) or instance.status in self.excluded_statuses:
            return
        key, start, end = (getattr(instance, model._meta.get_field(f).attname) for f in needed)
        if None in (key, start, end):
            return
        others = model._default_manager.using(using).filter(
            ~Q(status__in=self.excluded_statuses),
            **{self.key: key, f"{self.start}__lt": end, f"{self.end}__gt": start},
        )
        if others.exclude(pk=instance.pk).exists():
            raise ValidationError(
                self.get_violation_error_message(), code=self.violation_error_code
            )

    def is_broken_by(self, error: IntegrityError) -> bool:
        """Whether it was this constraint that refused the row."""
        diagnosis = getattr(error.__cause__, "diag", None)
        if diagnosis is not None:
            return bool(diagnosis.constraint_name == self.name)
        return self._refusal in str(error)

    @property
    def _refusal(self) -> str:
        return f"no overlap: {self.name}"

    def _exclusion(self) -> ExclusionConstraint:
        return ExclusionConstraint(
            name=self.name,
            expressions=[
                (self.key, RangeOperators.EQUAL),
                (TsTzRange(self.start, self.end, RangeBoundary()), RangeOperators.OVERLAPS),
            ],
            condition=~Q(status__in=self.excluded_statuses),
        )

    def _triggers(self, model: type[Model], schema_editor: Any) -> list[Statement]:
        def column(field: str) -> str:
            attribute: Any = model._meta.get_field(field)
            return str(schema_editor.quote_name(attribute.column))

        pk = schema_editor.quote_name(model._meta.pk.column)
        key, start, end, status = (
            column(name) for name in (self.key, self.start, self.end, "status")
        )
        excluded = ", ".join(schema_editor.quote_value(value) for value in self.excluded_statuses)
        events = (
            ("insert", "INSERT", ""),
            ("update", f"UPDATE OF {key}, {start}, {end}, {status}", f" AND t.{pk} <> NEW.{pk}"),
        )
        return [
            Statement(
                # Of the table only a reference is kept, so that a rename carries it along.
                # No value from outside stands in it: all names are of the model, quoted.
                f"CREATE TRIGGER %(name)s BEFORE {event} ON %(table)s "  # noqa: S608
                f"WHEN NEW.{status} NOT IN ({excluded}) AND EXISTS ("
                f"SELECT 1 FROM %(table)s t WHERE t.{key} = NEW.{key} "
                f"AND t.{status} NOT IN ({excluded}) "
                f"AND t.{start} < NEW.{end} AND t.{end} > NEW.{start}{not_itself}) "
                f"BEGIN SELECT RAISE(ABORT, '{self._refusal}'); END",
                table=Table(model._meta.db_table, schema_editor.quote_name),
                name=schema_editor.quote_name(f"{self.name}_{suffix}"),
            )
            for suffix, event, not_itself in events
        ]
