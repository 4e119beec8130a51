"""Loads what changed into `kaivox.duckdb`, and prints how often callers were in which mood."""

import dlt

from dlt_kaivox import kaivox_source

pipeline = dlt.pipeline("kaivox", destination="duckdb", dataset_name="kaivox_data")
print(pipeline.run(kaivox_source()))

with pipeline.sql_client() as client:
    for sentiment, calls in client.execute_sql(
        "SELECT sentiment, count(*) FROM calls WHERE sentiment IS NOT NULL GROUP BY 1 ORDER BY 2 DESC"
    ):
        print(f"{sentiment}: {calls}")
