"""Base viewset: scopes every query to the caller's business, before any handler runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from datetime import datetime
from functools import cache, cached_property, partial
from typing import Any, ClassVar, Final

from django.db.models import Model, QuerySet
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError
from rest_framework.viewsets import GenericViewSet

from kaivox.api.collection_version import (
    Total,
    cached_count,
    collection_version,
    count_rows,
    weak_etag,
)
from kaivox.api.encoders import encode
from kaivox.api.etags import make_etag, names_etag, parse_etags
from kaivox.api.export.streaming import reject_page_parameters, stream
from kaivox.api.filters import (
    ALWAYS_ALLOWED,
    StrictFilterSet,
    reject_unknown_parameters,
    unfiltered,
)
from kaivox.api.ordering import KeysetOrdering
from kaivox.api.pagination import PARAMETERS, order_of
from kaivox.api.renderers import CsvRenderer, EnvelopeRenderer, NdjsonRenderer, StreamedRenderer
from kaivox.api.responses import EnvelopeResponse
from kaivox.api.row_readers import RowReader, row_reader_for
from kaivox.api.serializers import UNREADABLE, ReadSerializer, WriteSerializer, visible_to
from kaivox.api.values import parse_id
from kaivox.api.views import ApiView
from kaivox.db.commit_horizon import visible_before_horizon
from kaivox.db.compiled_query import CompiledQuery
from kaivox.db.custom_plans import force_custom_plan
from kaivox.errors import NotFound, PreconditionFailed
from kaivox.registry import Registry

# Runs a POST that carries an Idempotency-Key: `(view, handler, request, …) -> response`.
post_wrapper: Final[Registry[Callable[..., Response]]] = Registry("repeatable POSTs")


class BusinessViewSet(ApiView, GenericViewSet[Any]):
    """Base of every resource.

    `queryset` is of all businesses and is narrowed in `get_queryset`, before any handler sees it;
    `serializer_class` shows a row; `detail_serializer_class` shows one alone where that differs.

    `version_models` are the tables that the list is made from, with those of its filters: while none
    of their rows changes, nor the business, its `ETag` and total stay the same (`collection_version`).
    Name them only where the list depends on nothing else, not on the clock either; each is counted
    (`kaivox.db.change_counters`).
    """

    queryset: QuerySet[Any]
    serializer_class: type[ReadSerializer]
    detail_serializer_class: type[ReadSerializer] | None = None
    filterset_class: ClassVar[type[StrictFilterSet]] = StrictFilterSet
    version_models: ClassVar[tuple[type[Model], ...]] = ()
    ordering: ClassVar[str] = "id"
    ordering_fields: ClassVar[tuple[str, ...]] = ("id",)
    lookup_value_regex = "[^/]+"

    def get_queryset(self) -> QuerySet[Any]:
        return self.queryset.filter(business=self.business.pk)

    def get_object(self) -> Any:
        """The row of the path. Raises NotFound: foreign, deleted and impossible ids look alike."""
        row_id = parse_id(self.kwargs["pk"])
        if row_id is None:
            raise NotFound
        if is_compiled(type(self)):
            row = _row(type(self)).first(business_id=self.business.pk, row_id=row_id)
        else:
            row = self.get_queryset().filter(pk=row_id).first()
        if row is None:
            raise NotFound
        return row

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and "HTTP_IDEMPOTENCY_KEY" in request.META:
            self.post = partial(post_wrapper.only(), self, self.post)

    def validate_query(self, request: Request) -> None:
        if self.action == "list":
            filters = self.filterset_class.base_filters
            reject_unknown_parameters(request, PARAMETERS.union(filters))
        else:
            super().validate_query(request)

    def body(
        self,
        serializer_class: type[WriteSerializer],
        *,
        partial: bool | None = None,
        change: Any = None,
    ) -> Any:
        """The validated body; `change`: the row that a PATCH changes, whose read-only fields may be
        sent back. `partial`: whether required fields may be left out; by default those of a PATCH may.
        Raises ValidationError by field."""
        context = {"business": self.business}
        partial = change is not None if partial is None else partial
        serializer = serializer_class(data=self.request.data, partial=partial, context=context)
        if change is not None:
            context["shown"] = lambda: self._comparable(change, serializer.fields)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def _comparable(self, row: Any, writable: Collection[str]) -> dict[str, Any]:
        """What a PATCH of `row` is compared with. Without the values of read-only fields where the caller
        may not read the row: whether a guess is rejected would reveal them."""
        shown = self.render(row)
        if self.request.auth.has_scope(f"{self.scope}:read"):
            return shown
        known = {"id", *writable}
        return {name: value if name in known else UNREADABLE for name, value in shown.items()}

    def show(
        self,
        row: Any,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        written: Collection[str] = (),
    ) -> EnvelopeResponse:
        """One row as the response. `written` are fields that this request has set besides those in
        the body of a PATCH."""
        return self.show_written(self.render(row), status=status, headers=headers, written=written)

    def show_written(
        self,
        data: dict[str, Any],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        written: Collection[str] = (),
        is_new: bool | None = None,
    ) -> EnvelopeResponse:
        """`data` of a row as the response to a write. A caller who may not read the resource sees
        all of a row that this request made (`is_new`; by default where the status is 201), of any
        other its id and what this request wrote."""
        scope = f"{self.scope}:read"
        if (status == 201 if is_new is None else is_new) or self.request.auth.has_scope(scope):
            return EnvelopeResponse(data, status=status, headers=headers)
        shown = {"id", *written, *(self.request.data if self.request.method == "PATCH" else ())}
        return EnvelopeResponse(
            {name: value for name, value in data.items() if name in shown},
            meta={"required_scope": scope},
            status=status,
            headers=headers,
        )

    def render(self, row: Any) -> dict[str, Any]:
        serializer = self._visible(self.detail_serializer_class or self.serializer_class)
        serializer.load_related([row], self.business)
        return serializer.render(row)

    def _visible(self, serializer: type[ReadSerializer]) -> type[ReadSerializer]:
        return visible_to(serializer, self.request.auth.scopes)

    def expected_version(self, row: Any) -> datetime | None:
        """What the operation compares under its lock: the `updated_at` that the caller has seen,
        or None where the caller does not care. Raises PreconditionFailed."""
        wanted = self.request.META.get("HTTP_IF_MATCH", "").strip()
        if not wanted or wanted == "*":
            return None
        if make_etag(encode(self.render(row))) not in parse_etags(wanted):
            raise PreconditionFailed
        seen: datetime = row.updated_at
        return seen


# Names of their own: inside ListMixin `list` is a method.
Renderers = list[BaseRenderer]
Rows = list[Any]


class ListMixin:
    """The list of a resource: a page of it, or all of it as CSV or NDJSON."""

    def list(self: Any, request: Request) -> HttpResponseBase:
        etag = self._etag()
        if etag and names_etag(request.META.get("HTTP_IF_NONE_MATCH", ""), etag):
            return EnvelopeResponse(None, status=304, headers={"ETag": etag})
        with force_custom_plan() if _has_filters(request) else nullcontext():
            response: HttpResponseBase = self._list(request)
        if etag:
            response["ETag"] = etag
        return response

    def _list(self: Any, request: Request) -> HttpResponseBase:
        rows = self._rows()
        if isinstance(request.accepted_renderer, StreamedRenderer):
            return self._stream(rows)
        if "excel" in request.query_params:
            raise ValidationError({"excel": ["Only CSV has it: send format=csv too."]})
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.reading.render(page, self.business))

    def _rows(self: Any) -> QuerySet[Any]:
        """The rows of the list. Where its first page is compiled, a queryset is built only if something
        else of it is read."""
        if self._is_whole_list() and is_compiled(type(self)):
            rows: Any = SimpleLazyObject(lambda: self.filter_queryset(self.get_queryset()))
            return rows
        rows = self.filter_queryset(self.get_queryset())
        return visible_before_horizon(rows) if _follows_changes(self.request, self) else rows

    @cached_property
    def version(self: Any) -> str | None:
        """Of the collection, before any of its rows is read; None where the list depends on more."""
        if not self.version_models or _follows_changes(self.request, self):
            return None  # the commit horizon moves without a change
        return collection_version(self.business, self.version_models)

    def _etag(self: Any) -> str | None:
        """The entity tag of the list as JSON, without reading a row; None where it is not known."""
        if not isinstance(self.request.accepted_renderer, EnvelopeRenderer) or not self.version:
            return None
        url = self.request.build_absolute_uri()  # the query, and the host that links name
        # Scopes to write show nothing.
        scopes = sorted(one for one in self.request.auth.scopes if one.endswith(":read"))
        return weak_etag(self.version, url, *scopes)

    def read_rows(
        self: Any, rows: QuerySet[Any], order: KeysetOrdering, start: int, stop: int
    ) -> Rows:
        """`rows[start:stop]` in this order, to be rendered by `reading`."""
        view: View = type(self)
        if start == 0 and self._is_whole_list() and is_compiled(view):
            serializer = self._visible(self.serializer_class)
            return _first_page(view, serializer, order, stop).rows(business_id=self.business.pk)
        return list(self.reading.rows(order.apply(rows), order.name)[start:stop])

    def _is_whole_list(self: Any) -> bool:
        query = self.request.query_params
        return not (
            query.get("cursor")
            or _has_filters(self.request)
            or _follows_changes(self.request, self)
        )

    @property
    def reading(self: Any) -> RowReader:
        """How rows are read for this list."""
        return row_reader_for(self._visible(self.serializer_class), self.queryset.model)

    def count(self: Any, rows: QuerySet[Any]) -> Total:
        """The `total` of the list."""
        if self.version is None:
            return count_rows(rows)
        query = self.request.query_params
        filters = sorted(query.keys() - PARAMETERS - ALWAYS_ALLOWED)
        filtered_by = (f"{name}={query[name]}" for name in filters)
        return cached_count(rows, self.version, self.request.path, *filtered_by)

    def get_renderers(self: Any) -> Renderers:
        renderers = super().get_renderers()
        if self.action != "list":
            return renderers
        return [renderers[0], CsvRenderer(), NdjsonRenderer(), *renderers[1:]]

    def _stream(self: Any, rows: QuerySet[Any]) -> HttpResponseBase:
        reject_page_parameters(self.request)
        order = order_of(self.request.query_params, self)
        return stream(rows, order, self, self.request.accepted_renderer)


def _has_filters(request: Request) -> bool:
    return not request.query_params.keys() <= PARAMETERS


def _follows_changes(request: Request, view: Any) -> bool:
    ordering = request.query_params.get("ordering", view.ordering)
    return "updated_since" in request.query_params or ordering == "updated_at"


class RetrieveMixin:
    """One row of a resource."""

    def retrieve(self: Any, request: Request, pk: str) -> Response:
        row_id = parse_id(pk)
        if row_id is None:
            raise NotFound
        view: View = type(self)
        serializer = self._visible(self.detail_serializer_class or self.serializer_class)
        reading = row_reader_for(serializer, self.queryset.model)
        if is_compiled(view):
            rows = _detail(view, serializer).rows(business_id=self.business.pk, row_id=row_id)
        else:
            rows = list(reading.rows(self.get_queryset().filter(pk=row_id)))
        if not rows:
            raise NotFound
        return EnvelopeResponse(reading.render(rows, self.business)[0])


class ReadViewSet(ListMixin, RetrieveMixin, BusinessViewSet):
    """A resource that is read: list and retrieve."""


# --- Compiled queries: the SQL of the views' own querysets, compiled once -----------------------

View = type[BusinessViewSet]


def is_compiled(view: View) -> bool:
    """Whether the rows of a view depend on nothing of the request but the business."""
    return view.get_queryset is BusinessViewSet.get_queryset


@cache
def _row(view: View) -> CompiledQuery:
    """One row as an instance."""

    def build(business_id: int, row_id: int) -> QuerySet[Any]:
        return view.queryset.filter(business=business_id, pk=row_id)

    return CompiledQuery(build)


@cache
def _detail(view: View, serializer: type[ReadSerializer]) -> CompiledQuery:
    """One row as `retrieve` shows it."""
    model: type[Model] = view.queryset.model
    reading = row_reader_for(serializer, model)

    def build(business_id: int, row_id: int) -> QuerySet[Any]:
        return reading.rows(view.queryset.filter(business=business_id, pk=row_id))

    return CompiledQuery(build)


@cache
def _first_page(
    view: View, serializer: type[ReadSerializer], order: KeysetOrdering, size: int
) -> CompiledQuery:
    """The first rows of the list without filters: one for each order and page size that exists."""
    model: type[Model] = view.queryset.model
    reading = row_reader_for(serializer, model)

    def build(business_id: int) -> QuerySet[Any]:
        rows = unfiltered(view.queryset.filter(business=business_id), view.filterset_class)
        return reading.rows(order.apply(rows), order.name)[:size]

    return CompiledQuery(build)
