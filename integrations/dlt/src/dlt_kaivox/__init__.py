"""dlt source of the KaiVox API: a table for each resource, loaded incrementally.

import dlt
from dlt_kaivox import kaivox_source

pipeline = dlt.pipeline("kaivox", destination="duckdb", dataset_name="kaivox_data")
pipeline.run(kaivox_source())
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import dlt
from dlt.extract import DltResource
from kaivox import KaiVox, Page, errors

from dlt_kaivox._columns import hints_of, model_of, resource_names

__all__ = ["kaivox_source"]

Rows = list[dict[str, Any]]

BEGINNING: Final = "1970-01-01T00:00:00Z"
# Instants have whole seconds, so the last ones are read again.
_LAG_SECONDS: Final = 2
# Their order is descending: a change that is committed late is not the last one.
_DELIVERY_LAG_SECONDS: Final = 60
# Their rows stay, with another status.
_CLOSED_BY_DELETE: Final = frozenset({"waitlist"})


@dlt.source(name="kaivox")
def kaivox_source(
    api_key: str = dlt.secrets.value,
    base_url: str = dlt.config.value,
    transcripts: bool = True,
    updated_since: str = BEGINNING,
) -> list[DltResource]:
    """All resources of one business. Choose some with `.with_resources("appointments", "calls")`.

    `api_key` and `base_url` are read from dlt's configuration (`SOURCES__KAIVOX__API_KEY`,
    `SOURCES__KAIVOX__BASE_URL`) where they are left out.
    `transcripts`: read each changed call with its transcript, which takes one request a call.
    `updated_since`: the first load begins with what changed at or after this instant, RFC 3339.

    A pipeline that runs it raises `kaivox.errors.APIError` inside dlt's PipelineStepFailed: such as
    `InsufficientScope`, or `RateLimitError` once the day's quota is spent.
    """
    client = KaiVox(api_key, base_url=base_url)
    return [
        *(_resource(client, name, transcripts, updated_since) for name in resource_names(client)),
        _events(client),
        _deliveries(client, updated_since),
        _whole(client, "webhooks"),
    ]


def _resource(client: KaiVox, name: str, transcripts: bool, updated_since: str) -> DltResource:
    # What can be deleted is read whole: no list says what is gone.
    if hasattr(getattr(client, name), "delete") and name not in _CLOSED_BY_DELETE:
        return _whole(client, name)
    return _changes(client, name, transcripts and name == "calls", updated_since)


def _changes(client: KaiVox, name: str, transcripts: bool, updated_since: str) -> DltResource:
    """Rows that changed since the last load, oldest change first."""
    resource = getattr(client, name)

    def changes(
        updated_at: dlt.sources.incremental[str] = dlt.sources.incremental(
            "updated_at", initial_value=updated_since, row_order="asc", lag=_LAG_SECONDS
        ),
    ) -> Iterator[Rows]:
        since = updated_at.last_value
        for page in resource.list(updated_since=since, ordering="updated_at").pages():
            yield list(_with_transcripts(client, page)) if transcripts else _rows(page)

    model = model_of(resource.get if transcripts else resource.list)
    return dlt.resource(
        changes,
        name=name,
        primary_key="id",
        write_disposition="merge",
        **hints_of(model),
    )


def _with_transcripts(client: KaiVox, calls: Page[Any]) -> Iterator[dict[str, Any]]:
    for call in calls:
        try:
            whole = client.calls.get(call.id).to_dict()
        except errors.NotFound:
            continue  # deleted since the page was read
        # The list's: a call that changed meanwhile would move the next load past other changes.
        yield whole | {"updated_at": call.to_dict()["updated_at"]}


def _whole(client: KaiVox, name: str) -> DltResource:
    """All rows, each time: small tables, rows of which can be deleted."""
    resource = getattr(client, name)

    def rows() -> Iterator[Rows]:
        for page in resource.list().pages():
            yield _rows(page)

    return dlt.resource(
        rows,
        name=name,
        primary_key="id",
        write_disposition="replace",
        **hints_of(model_of(resource.list)),
    )


def _events(client: KaiVox) -> DltResource:
    """Events in the order in which they were recorded; each load continues at the last one's cursor."""

    def events() -> Iterator[Rows]:
        state = dlt.current.resource_state()
        for page in client.events.list(cursor=state.get("cursor", "")).pages():
            yield _rows(page)
            state["cursor"] = page.resume_cursor or state.get("cursor", "")

    return dlt.resource(
        events,
        name="events",
        primary_key="id",
        write_disposition="merge",
        **hints_of(model_of(client.events.list)),
    )


def _deliveries(client: KaiVox, updated_since: str) -> DltResource:
    """Webhook deliveries that changed since the last load: newest first, until one is known."""

    def deliveries(
        updated_at: dlt.sources.incremental[str] = dlt.sources.incremental(
            "updated_at", initial_value=updated_since, row_order="desc", lag=_DELIVERY_LAG_SECONDS
        ),
    ) -> Iterator[Rows]:
        for page in client.deliveries.list(ordering="-updated_at").pages():
            yield _rows(page)

    return dlt.resource(
        deliveries,
        name="deliveries",
        primary_key="id",
        write_disposition="merge",
        **hints_of(model_of(client.deliveries.list)),
    )


def _rows(page: Page[Any]) -> Rows:
    return [row.to_dict() for row in page]
