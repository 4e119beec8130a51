"""The base viewset: rows of the caller's business, found once, here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime
from functools import cached_property, partial
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Model, QuerySet
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from kaivox.api.bulk import refuse_pages, stream
from kaivox.api.encoding import encode, etag_of, tags_of
from kaivox.api.fields import parse_id
from kaivox.api.filters import StrictFilterSet
from kaivox.api.pagination import PARAMETERS, order_of
from kaivox.api.plans import planned_for_its_values
from kaivox.api.reading import Reading, reading_of
from kaivox.api.remembered import total_of
from kaivox.api.renderers import CsvRenderer, NdjsonRenderer, StreamedRenderer
from kaivox.api.responses import Answer
from kaivox.api.serializers import ReadSerializer, WriteSerializer
from kaivox.api.settled import settled
from kaivox.api.unchanged import note_shown
from kaivox.api.versions import Version
from kaivox.api.views import FramedView
from kaivox.errors import NotFound, PreconditionFailed


class BusinessViewSet(FramedView, GenericViewSet[Any]):
    """Base of every resource.

    `queryset` is of all businesses and is narrowed in `get_queryset`, before any handler sees it;
    `serializer_class` shows a row; `detail_serializer_class` shows one alone where that differs.

    `shown_from` are the tables from which list and single row are made, with those of their
    filters: where nothing has changed in them, answers are spared (`kaivox.api.unchanged`). Name
    them only where the answers depend on nothing else but the business, not on the clock either,
    and where rows are never deleted; each is a `ShownRow` with an index that begins with business and
    `updated_at`.
    """

    queryset: QuerySet[Any]
    serializer_class: type[ReadSerializer]
    detail_serializer_class: type[ReadSerializer] | None = None
    filterset_class: ClassVar[type[StrictFilterSet]] = StrictFilterSet
    shown_from: ClassVar[tuple[type[Model], ...]] = ()
    ordering: ClassVar[str] = "id"
    ordering_fields: ClassVar[tuple[str, ...]] = ("id",)
    lookup_value_regex = "[^/]+"

    def get_queryset(self) -> QuerySet[Any]:
        return self.queryset.filter(business=self.request.auth.business)

    def get_object(self) -> Any:
        """The row of the path. Raises NotFound: foreign, gone and absurd ids look alike."""
        row = self._at(self.kwargs["pk"]).first()
        if row is None:
            raise NotFound
        return row

    def _at(self, text: str) -> QuerySet[Any]:
        row_id = parse_id(text)
        return self.get_queryset().filter(pk=row_id) if row_id else self.queryset.none()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and "HTTP_IDEMPOTENCY_KEY" in request.META:
            remember = import_string(settings.API_POST_HOOK)
            self.post = partial(remember, self, self.post)
        note_shown(request, self)

    @cached_property
    def version(self) -> Version:
        """Of what the answer is shown from, when it was first asked for in this request."""
        known: Version | None = getattr(self.request._request, "version", None)
        return known or Version(self.business, self.shown_from)

    def read_query(self, request: Request) -> None:
        if self.action != "list":
            super().read_query(request)

    def body(self, serializer_class: type[WriteSerializer], *, partial: bool = False) -> Any:
        """The validated body. Raises ValidationError by field."""
        serializer = serializer_class(
            data=self.request.data, partial=partial, context={"business": self.business}
        )
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def show(
        self, row: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One row as the answer."""
        return Answer(self.render(row), status=status, headers=headers)

    def render(self, row: Any) -> dict[str, Any]:
        return (self.detail_serializer_class or self.serializer_class).render(row)

    def if_match(self, row: Any) -> datetime | None:
        """What the operation compares under its lock: the `updated_at` that the caller has seen,
        or None where the caller does not care. Raises PreconditionFailed."""
        wanted = self.request.META.get("HTTP_IF_MATCH", "").strip()
        if not wanted or wanted == "*":
            return None
        if etag_of(encode(self.render(row))) not in tags_of(wanted):
            raise PreconditionFailed
        seen: datetime = row.updated_at
        return seen


# A name of its own: inside ListMixin `list` is a method.
Renderers = list[BaseRenderer]


class ListMixin:
    """The list of a resource: a page of it, or all of it as CSV or NDJSON."""

    def list(self: Any, request: Request) -> HttpResponseBase:
        with planned_for_its_values() if _has_filters(request) else nullcontext():
            return self._list(request)

    def _list(self: Any, request: Request) -> HttpResponseBase:
        rows = self.filter_queryset(self.get_queryset())
        if _follows_changes(request, self):
            rows = settled(rows)
        if isinstance(request.accepted_renderer, StreamedRenderer):
            return self._stream(rows)
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.reading.render(page, self.business))

    @property
    def reading(self: Any) -> Reading:
        """How rows are read for this list."""
        return reading_of(self.serializer_class, self.queryset.model)

    def count(self: Any, rows: QuerySet[Any]) -> int:
        """The `total` of the list."""
        return total_of(rows, self)

    def get_renderers(self: Any) -> Renderers:
        renderers = super().get_renderers()
        if self.action != "list":
            return renderers
        return [renderers[0], CsvRenderer(), NdjsonRenderer(), *renderers[1:]]

    def _stream(self: Any, rows: QuerySet[Any]) -> HttpResponseBase:
        refuse_pages(self.request)
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
        reading = reading_of(
            self.detail_serializer_class or self.serializer_class, self.queryset.model
        )
        found = list(reading.rows(self._at(pk))[:1])
        if not found:
            raise NotFound
        return Answer(reading.render(found, self.business)[0])


class ReadViewSet(ListMixin, RetrieveMixin, BusinessViewSet):
    """A resource that is read: list and retrieve."""
