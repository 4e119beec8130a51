"""dlt's generic REST source, without any configuration of its paginator, into DuckDB: the rows of each
table and how many different ids they have."""

from __future__ import annotations

import json
import sys

import dlt
import duckdb
from dlt.sources.rest_api import rest_api_source

url, key, folder, *resources = sys.argv[1:]

pipeline = dlt.pipeline(
    "kaivox",
    destination=dlt.destinations.duckdb(f"{folder}/loaded.duckdb"),
    dataset_name="kaivox",
    pipelines_dir=f"{folder}/pipelines",
)


def load() -> dict[str, list[int]]:
    source = rest_api_source(
        {
            "client": {"base_url": f"{url}/api/v1/", "headers": {"X-API-Key": key}},
            "resource_defaults": {"primary_key": "id", "write_disposition": "append"},
            "resources": list(resources),
        }
    )
    pipeline.run(source).raise_on_failed_jobs()
    with duckdb.connect(f"{folder}/loaded.duckdb") as database:
        return {name: _counts(database.table(f"kaivox.{name}")) for name in resources}


def _counts(table: duckdb.DuckDBPyRelation) -> list[int]:
    [counts] = table.aggregate("count(*), count(DISTINCT id)").fetchall()
    return list(counts)


print(json.dumps(load()))
