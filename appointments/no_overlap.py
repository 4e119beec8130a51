"""A constraint for PostgreSQL and SQLite: ranges of rows with the same key do not overlap.

On PostgreSQL it is an exclusion constraint, on SQLite, which has none, two triggers. Django's own
ExclusionConstraint makes `migrate` fail on SQLite. Triggers created with RunSQL would be lost without
an error when the schema editor of SQLite rebuilds the table at the next AlterField; those of a model
constraint are created again with the table.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, IntegrityError
from django.db.backends.ddl_references import Statement, Table
from django.db.models import BaseConstraint, DateTimeField, Func, Model, Q, TextField


class TsTzRange(Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class _SharedGroup(Func):
    """A text that is equal for rows that share, and for no others: an exclusion constraint compares
    one expression of a row with the same expression of another.

    Its arguments are the flag, the id and the fields. An array of texts would need a cast that is
    not immutable for instants, so each field is cast by itself, in UTC. A null is a value like others:
    the constraint would not see a row whose text is null.
    """

    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        parts = []
        for expression in self.get_source_expressions():
            sql, _ = compiler.compile(expression)
            if isinstance(expression.output_field, DateTimeField):
                sql = f"EXTRACT(EPOCH FROM {sql} AT TIME ZONE 'UTC')"
            text = f"({sql})::text"
            parts.append(f"COALESCE({text}, '')" if expression.target.null else text)
        group = " || '@' || ".join(parts[2:])
        flag = parts[0].removesuffix("::text")
        return f"CASE WHEN {flag} THEN {group} ELSE {parts[1]} END", []


class NoOverlap(BaseConstraint):
    """Rows with the same `key` do not overlap in [`start`, `end`), except those whose `status` is one
    of `excluded_statuses`, and except rows that share: `shared_if` is true in both, and all fields of
    `shared_by` are equal. Rows whose `key` is null overlap freely; as a field of `shared_by`, null equals
    null. The others are field names; the model has a field `status`."""

    def __init__(
        self,
        *,
        name: str,
        key: str,
        start: str,
        end: str,
        excluded_statuses: Sequence[str],
        shared_if: str | None = None,
        shared_by: Sequence[str] = (),
        violation_error_code: str | None = None,
        violation_error_message: Any = None,
    ) -> None:
        self.key, self.start, self.end = key, start, end
        self.excluded_statuses = tuple(str(status) for status in excluded_statuses)
        self.shared_if, self.shared_by = shared_if, tuple(shared_by)
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
        if self.shared_if is not None:
            kwargs |= {"shared_if": self.shared_if, "shared_by": self.shared_by}
        return path, args, kwargs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoOverlap) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash((self.name, self.key, self.start, self.end, self.excluded_statuses))

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        """For CREATE TABLE; on SQLite also called when a table is rebuilt."""
        if schema_editor.connection.vendor == "postgresql":
            return self._exclusion().constraint_sql(model, schema_editor)
        schema_editor.deferred_sql.extend(self._triggers(model, schema_editor))
        return None

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        """For AddConstraint; on SQLite this rebuilds the table, which calls `constraint_sql`."""
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
        """Raises ValidationError, so that forms report a violation before the database does."""
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
        if self.shared_if is not None and getattr(instance, self.shared_if):
            same = {name: getattr(instance, name) for name in self.shared_by}
            others = others.exclude(**{self.shared_if: True}, **same)
        if others.exclude(pk=instance.pk).exists():
            raise ValidationError(
                self.get_violation_error_message(), code=self.violation_error_code
            )

    def is_broken_by(self, error: IntegrityError) -> bool:
        """Whether `error` is a violation of this constraint."""
        diagnosis = getattr(error.__cause__, "diag", None)
        if diagnosis is not None:
            return bool(diagnosis.constraint_name == self.name)
        return self._error_text in str(error)

    @property
    def _error_text(self) -> str:
        return f"no overlap: {self.name}"

    def _exclusion(self) -> ExclusionConstraint:
        expressions: list[Any] = [
            (self.key, RangeOperators.EQUAL),
            (TsTzRange(self.start, self.end, RangeBoundary()), RangeOperators.OVERLAPS),
        ]
        if self.shared_if is not None:
            group = _SharedGroup(self.shared_if, "pk", *self.shared_by)
            expressions.append((group, RangeOperators.NOT_EQUAL))
        return ExclusionConstraint(
            name=self.name,
            expressions=expressions,
            condition=~Q(status__in=self.excluded_statuses),
        )

    def _triggers(self, model: type[Model], schema_editor: Any) -> list[Statement]:
        def column(field: str) -> str:
            attribute: Any = model._meta.get_field(field)
            return str(schema_editor.quote_name(attribute.column))

        pk = schema_editor.quote_name(model._meta.pk.column)
        shared, sharing = "", ""
        if self.shared_if is not None:
            names = [column(name) for name in (self.shared_if, *self.shared_by)]
            shared = "".join(f", {name}" for name in names)
            # IS: null is the same as null.
            same = " AND ".join(f"t.{name} IS NEW.{name}" for name in names[1:])
            sharing = f" AND NOT (t.{names[0]} AND NEW.{names[0]} AND {same})"
        key, start, end, status = (
            column(name) for name in (self.key, self.start, self.end, "status")
        )
        excluded = ", ".join(schema_editor.quote_value(value) for value in self.excluded_statuses)
        events = (
            ("insert", "INSERT", ""),
            (
                "update",
                f"UPDATE OF {key}, {start}, {end}, {status}{shared}",
                f" AND t.{pk} <> NEW.{pk}",
            ),
        )
        return [
            Statement(
                # A reference to the table, so that Django updates it when the table is renamed.
                # It contains only quoted names of the model and its statuses, no user input.
                f"CREATE TRIGGER %(name)s BEFORE {event} ON %(table)s "  # noqa: S608
                f"WHEN NEW.{status} NOT IN ({excluded}) AND EXISTS ("
                f"SELECT 1 FROM %(table)s t WHERE t.{key} = NEW.{key} "
                f"AND t.{status} NOT IN ({excluded}) "
                f"AND t.{start} < NEW.{end} AND t.{end} > NEW.{start}{sharing}{not_itself}) "
                f"BEGIN SELECT RAISE(ABORT, '{self._error_text}'); END",
                table=Table(model._meta.db_table, schema_editor.quote_name),
                name=schema_editor.quote_name(f"{self.name}_{suffix}"),
            )
            for suffix, event, not_itself in events
        ]
