"""The lookup `words__mention=["clean", "teeth"]`: rows with all of these words, or longer words with
that prefix. PostgreSQL uses a full-text index, SQLite scans the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Lookup, TextField


@TextField.register_lookup
class PrefixSearch(Lookup):
    lookup_name = "mention"
    prepare_rhs = False
    rhs: Sequence[str]

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, params = self.process_lhs(compiler, connection)
        if not self.rhs:
            return "FALSE", []
        # Words are letters and digits only (`calls.transcripts`), so that nothing needs quoting.
        query = " & ".join(f"{word}:*" for word in self.rhs)
        # A generated column beside it; see the migration.
        vector = f"{column[:-1]}_vector{column[-1]}"
        return f"{vector} @@ to_tsquery('simple'::regconfig, %s)", [*params, query]

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        column, params = self.process_lhs(compiler, connection)
        if not self.rhs:
            return "1 = 0", []
        # `words` has a space before each word.
        return (
            " AND ".join([f"INSTR({column}, %s) > 0"] * len(self.rhs)),
            [value for word in self.rhs for value in (*params, f" {word}")],
        )
