"""Loads all resources of `dlt-kaivox` into DuckDB, once for each line of its input, and prints the tables
after each load as a line of JSON: by table its rows, and the types of its columns."""

from __future__ import annotations

import json
import sys

import dlt
import duckdb
from dlt_kaivox import kaivox_source

url, key, folder = sys.argv[1:]

pipeline = dlt.pipeline(
    "kaivox",
    destination=dlt.destinations.duckdb(f"{folder}/loaded.duckdb"),
    dataset_name="kaivox",
    pipelines_dir=f"{folder}/pipelines",
)


def tables() -> dict[str, object]:
    with duckdb.connect(f"{folder}/loaded.duckdb") as database:
        names = [
            name
            for (name,) in database.sql(
                "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'kaivox'"
            ).fetchall()
            if not name.startswith("_dlt")
        ]
        return {name: _shown(database.table(f"kaivox.{name}")) for name in names}


def _shown(table: duckdb.DuckDBPyRelation) -> dict[str, object]:
    columns = [name for name in table.columns if not name.startswith("_dlt")]
    types = dict(zip(table.columns, map(str, table.types), strict=True))
    rows = table.select(*columns).fetchall()
    return {
        "types": {name: types[name] for name in columns},
        "rows": [dict(zip(columns, row, strict=True)) for row in sorted(rows, key=repr)],
    }


for _ in sys.stdin:
    source = kaivox_source(key, base_url=url)
    pipeline.run(source).raise_on_failed_jobs()
    loaded = pipeline.last_trace.last_normalize_info.row_counts
    print(json.dumps({"tables": tables(), "loaded": loaded}, default=str), flush=True)
