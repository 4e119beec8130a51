"""The lookup `= ANY(array)`: its SQL is the same for two values and for two hundred.

`__in` writes a placeholder per value, so each length is another statement, which the database has to
plan and the driver to prepare. Planning took longer than finding the rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.db.models import F, Lookup


class AnyOf(Lookup):
    """`filter(AnyOf("pk", ids))`: the rows whose field is one of `ids`."""

    prepare_rhs = False

    def __init__(self, field: Any, ids: Iterable[int]) -> None:
        # Django copies the lookup with the resolved column in place of the name.
        super().__init__(F(field) if isinstance(field, str) else field, list(ids))

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s::bigint[])", (*parameters, self.rhs)

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, tuple[Any, ...]]:
        column, parameters = self.process_lhs(compiler, connection)
        many = "(SELECT value FROM json_each(%s))"
        return f"{column} IN {many}", (*parameters, json.dumps(self.rhs))
