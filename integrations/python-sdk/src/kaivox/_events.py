"""Following the events of a business: the same events as webhooks, without a public address."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Final

from kaivox._generated.events import WebhookEvent, event_of
from kaivox._generated.resources import AsyncEventsResource, EventsResource
from kaivox._model import NOT_GIVEN

_WAIT_SECONDS: Final = 20
_MOST_ROWS: Final = 100


class FollowedEventsResource(EventsResource):
    """Methods of `client.events`."""

    def follow(
        self,
        *,
        type: str | Sequence[str] | None = None,
        cursor: str | None = None,
        since: datetime | str | None = None,
    ) -> Iterator[tuple[WebhookEvent, str]]:
        """Yields events as they happen, without end, each with the cursor of its page.

        Store the cursor once an event is processed and pass it after a restart: no event is skipped,
        and at most the last page is repeated. Without `cursor` and `since` it starts with the events
        that are recorded from now on.
        """
        types = NOT_GIVEN if type is None else type
        position = cursor if cursor is not None or since is not None else self.end()
        while True:
            page = self.list(
                type=types,
                since=NOT_GIVEN if since is None else since,
                cursor=position or "",
                wait=_WAIT_SECONDS,
                per_page=_MOST_ROWS,
            ).page()
            for number, event in enumerate(page, 1):
                # In the middle of a page: the position before it, so that the rest is read again.
                done = number == len(page)
                yield event_of(event.to_dict()), (page.resume_cursor if done else position) or ""
            position = page.resume_cursor or position

    def end(self) -> str:
        """The cursor after the newest event. It asks no clock, so that clocks may differ."""
        newest = self.list(ordering="-created_at", per_page=1).page()
        if not newest.data:
            return ""
        position = ""
        for page in self.list(since=newest.data[0].created_at).pages():
            position = page.resume_cursor or position
        return position


class AsyncFollowedEventsResource(AsyncEventsResource):
    """Methods of `client.events`."""

    async def follow(
        self,
        *,
        type: str | Sequence[str] | None = None,
        cursor: str | None = None,
        since: datetime | str | None = None,
    ) -> AsyncIterator[tuple[WebhookEvent, str]]:
        """Yields events as they happen, without end, each with the cursor of its page.

        Store the cursor once an event is processed and pass it after a restart: no event is skipped,
        and at most the last page is repeated. Without `cursor` and `since` it starts with the events
        that are recorded from now on.
        """
        types = NOT_GIVEN if type is None else type
        position = cursor if cursor is not None or since is not None else await self.end()
        while True:
            page = await self.list(
                type=types,
                since=NOT_GIVEN if since is None else since,
                cursor=position or "",
                wait=_WAIT_SECONDS,
                per_page=_MOST_ROWS,
            ).page()
            for number, event in enumerate(page, 1):
                done = number == len(page)
                yield event_of(event.to_dict()), (page.resume_cursor if done else position) or ""
            position = page.resume_cursor or position

    async def end(self) -> str:
        """The cursor after the newest event. It asks no clock, so that clocks may differ."""
        newest = await self.list(ordering="-created_at", per_page=1).page()
        if not newest.data:
            return ""
        position = ""
        async for page in self.list(since=newest.data[0].created_at).pages():
            position = page.resume_cursor or position
        return position
