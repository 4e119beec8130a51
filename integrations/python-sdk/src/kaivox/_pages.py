"""Lists that are read page by page: by cursor, so that no row is skipped or repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import httpx

from kaivox._model import NOT_GIVEN, Model, NotGiven, earlier, instant_text
from kaivox._transport import ApiCall, AsyncTransport, SyncTransport, body_of

ModelT = TypeVar("ModelT", bound=Model)

_MOST_ROWS: Final = 100
_OVERLAP_SECONDS: Final = 2
_BEGINNING: Final = "1970-01-01T00:00:00Z"


class Page(Generic[ModelT]):
    """One page of a list."""

    __slots__ = ("data", "meta")

    def __init__(self, response: httpx.Response, model: type[ModelT]) -> None:
        body = body_of(response)
        self.data: list[ModelT] = [model(row) for row in body["data"]]
        self.meta: Mapping[str, Any] = body["meta"]

    @property
    def total(self) -> int | None:
        """Rows that match; None with a cursor, and where there are too many to count."""
        return self.meta.get("total")

    @property
    def next_cursor(self) -> str | None:
        """None at the end of the list."""
        return self.meta.get("next_cursor")

    @property
    def resume_cursor(self) -> str | None:
        """Of events: the position after the last one, also at the end of the list."""
        return self.meta.get("resume_cursor")

    def __iter__(self) -> Iterator[ModelT]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return f"Page({len(self.data)} rows, next_cursor={self.next_cursor!r})"


class _List(Generic[ModelT]):
    """Path and filters of a list. Nothing is requested before it is iterated."""

    def __init__(self, path: str, query: Mapping[str, Any], model: type[ModelT]) -> None:
        self._path = path
        self._query = query
        self._model = model

    def _one_page(self) -> ApiCall:
        return ApiCall("GET", self._path, self._query)

    def _one_row(self) -> ApiCall:
        return ApiCall("GET", self._path, {**self._from_start().query, "per_page": 1})

    def _from_start(self) -> ApiCall:
        """By cursor from the first page on, unless a page or a cursor was asked for."""
        query = dict(self._query)
        if not any(query.get(name, NOT_GIVEN) is not NOT_GIVEN for name in ("page", "cursor")):
            query["cursor"] = ""
        if query.get("per_page", NOT_GIVEN) is NOT_GIVEN:
            query["per_page"] = _MOST_ROWS
        return ApiCall("GET", self._path, query)

    def _after(self, page: Page[ModelT], call: ApiCall) -> ApiCall | None:
        if page.next_cursor is None:
            return None
        query = {**call.query, "page": NOT_GIVEN, "cursor": page.next_cursor}
        return ApiCall("GET", self._path, query)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._path!r})"


class Pages(_List[ModelT]):
    """A list: iterate it for all rows, whatever their number; pages are requested as needed."""

    def __init__(
        self, transport: SyncTransport, path: str, query: Mapping[str, Any], model: type[ModelT]
    ) -> None:
        super().__init__(path, query, model)
        self._transport = transport

    def __iter__(self) -> Iterator[ModelT]:
        for page in self.pages():
            yield from page.data

    def pages(self) -> Iterator[Page[ModelT]]:
        """All pages, 100 rows each unless `per_page` says otherwise."""
        call: ApiCall | None = self._from_start()
        while call is not None:
            page = Page(self._transport.send(call), self._model)
            yield page
            call = self._after(page, call)

    def page(self) -> Page[ModelT]:
        """One page, with `total`: the first, unless `page` or `cursor` says otherwise."""
        return Page(self._transport.send(self._one_page()), self._model)

    def first(self) -> ModelT | None:
        """The first row, or None."""
        return next(iter(Page(self._transport.send(self._one_row()), self._model)), None)


class AsyncPages(_List[ModelT]):
    """A list: iterate it with `async for` for all rows; pages are requested as needed."""

    def __init__(
        self, transport: AsyncTransport, path: str, query: Mapping[str, Any], model: type[ModelT]
    ) -> None:
        super().__init__(path, query, model)
        self._transport = transport

    async def __aiter__(self) -> AsyncIterator[ModelT]:
        async for page in self.pages():
            for row in page.data:
                yield row

    async def pages(self) -> AsyncIterator[Page[ModelT]]:
        """All pages, 100 rows each unless `per_page` says otherwise."""
        call: ApiCall | None = self._from_start()
        while call is not None:
            page = Page(await self._transport.send(call), self._model)
            yield page
            call = self._after(page, call)

    async def page(self) -> Page[ModelT]:
        """One page, with `total`: the first, unless `page` or `cursor` says otherwise."""
        return Page(await self._transport.send(self._one_page()), self._model)

    async def first(self) -> ModelT | None:
        """The first row, or None."""
        return next(iter(Page(await self._transport.send(self._one_row()), self._model)), None)


class _SyncState:
    """Where an incremental read has got to."""

    def __init__(self, updated_since: datetime | str | None) -> None:
        self.updated_since = _BEGINNING if updated_since is None else instant_text(updated_since)
        """Store it together with the rows, and pass it to the next `sync()`."""

    @property
    def _query(self) -> dict[str, str]:
        # Repeats the last rows: what is stored by id is not changed by that.
        since = self.updated_since
        if since != _BEGINNING:
            since = earlier(since, seconds=_OVERLAP_SECONDS)
        return {"updated_since": since, "ordering": "updated_at"}

    def _saw(self, row: Model) -> None:
        # All in one form, so that their texts compare as the instants do.
        self.updated_since = max(self.updated_since, row.to_dict()["updated_at"])


class Changes(_SyncState, Generic[ModelT]):
    """Rows that changed since an instant, oldest change first."""

    def __init__(
        self,
        transport: SyncTransport,
        path: str,
        query: Mapping[str, Any],
        model: type[ModelT],
        updated_since: datetime | str | NotGiven | None,
    ) -> None:
        super().__init__(None if isinstance(updated_since, NotGiven) else updated_since)
        self._rows = Pages(transport, path, {**query, **self._query}, model)

    def __iter__(self) -> Iterator[ModelT]:
        for row in self._rows:
            self._saw(row)
            yield row


class AsyncChanges(_SyncState, Generic[ModelT]):
    """Rows that changed since an instant, oldest change first."""

    def __init__(
        self,
        transport: AsyncTransport,
        path: str,
        query: Mapping[str, Any],
        model: type[ModelT],
        updated_since: datetime | str | NotGiven | None,
    ) -> None:
        super().__init__(None if isinstance(updated_since, NotGiven) else updated_since)
        self._rows = AsyncPages(transport, path, {**query, **self._query}, model)

    async def __aiter__(self) -> AsyncIterator[ModelT]:
        async for row in self._rows:
            self._saw(row)
            yield row
