"""A resource as a newcomer would write it, over a table that is there: API keys. What the base
classes promise to every resource is tested on it, apart from any domain."""

from __future__ import annotations

from django.urls import include, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox import urls as real
from kaivox.api.fields import (
    IdField,
    MetadataField,
    StrictCharField,
    TenantRelatedField,
    UtcDateTimeField,
)
from kaivox.api.filters import (
    ChoicesFilter,
    InstantFilter,
    SearchFilter,
    StrictFilterSet,
    TenantRelatedFilter,
    UpdatedSinceFilter,
    WholeNumberFilter,
    day_filters,
)
from kaivox.api.routers import Router
from kaivox.api.serializers import ReadSerializer, WriteSerializer
from kaivox.api.viewsets import ReadViewSet
from kaivox.businesses.models import ApiKey
from tests import factories


class BookSerializer(ReadSerializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    expires_at = UtcDateTimeField(allow_null=True)
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()


class WriteBookSerializer(WriteSerializer):
    name = StrictCharField(max_length=20)
    copy_of = TenantRelatedField(ApiKey, noun="book", required=False)
    lent_until = UtcDateTimeField(required=False)
    pages = serializers.IntegerField(required=False)
    metadata = MetadataField(required=False)
    shelf_id = IdField(required=False)


class BookFilters(StrictFilterSet):
    name = ChoicesFilter(["a", "b", "c"])
    search = SearchFilter(["name"], column="name")
    twin_id = TenantRelatedFilter(ApiKey.objects.all, noun="book", field_name="id")
    least = WholeNumberFilter(field_name="id", lookup_expr="gte")
    expires_before = InstantFilter(field_name="expires_at", lookup_expr="lt")
    updated_since = UpdatedSinceFilter()
    date, date_from, date_to = day_filters("created_at")


class BookViewSet(ReadViewSet):
    """Books."""

    scope = "appointments"
    queryset = ApiKey.objects.all()
    serializer_class = BookSerializer
    filterset_class = BookFilters
    ordering = "created_at"
    ordering_fields = ("created_at", "updated_at", "name", "expires_at")
    body_serializers = {"create": WriteBookSerializer, "partial_update": WriteBookSerializer}

    def create(self, request: Request) -> Response:
        values = self.body(WriteBookSerializer)
        secret = factories.make_key(self.business, name=values["name"])
        row = ApiKey.objects.get(prefix=secret[: len(ApiKey.objects.last().prefix)])
        return self.show(row, status=201, headers={"Location": f"/api/v1/books/{row.pk}"})

    def partial_update(self, request: Request, pk: str) -> Response:
        row = self.get_object()
        self.expected_version(row)
        for name, value in self.body(WriteBookSerializer, partial=True).items():
            setattr(row, name, value)
        row.save()
        return self.show(row)


router = Router()
router.register("books", BookViewSet, basename="books")
urlpatterns = [path("api/v1/", include(router.urls)), *real.urlpatterns]
handler400, handler403 = real.handler400, real.handler403
handler404, handler500 = real.handler404, real.handler500
