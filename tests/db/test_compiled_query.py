"""Compiled queries of instances; those of tuples are in `tests/appointments/test_compiled_queries.py`."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from django.db.models import F

from customers.models import Customer
from kaivox.db.compiled_query import CompiledQuery
from services.models import Service
from tests import factories


def build(business_id, row_id):
    rows = Customer.objects.filter(business=business_id, pk=row_id)
    return rows.select_related("business").annotate(twice=F("pk") * 2)


class TestInstances:
    def test_are_as_their_queryset_makes_them(self, business, django_assert_num_queries):
        prepared = CompiledQuery(build)
        for number in range(3):
            row = factories.make_customer(
                business,
                metadata={"number": str(number)},
                total_spent=Decimal("10.50"),
                last_visit_at=datetime(2026, 3, 1 + number, tzinfo=UTC),
            )
            with django_assert_num_queries(1):
                found = prepared.first(business_id=business.pk, row_id=row.pk)
                assert (found, found.business, found.twice) == (row, business, row.pk * 2)
            expected = build(business.pk, row.pk).get()
            for column in Customer._meta.concrete_fields:
                assert getattr(found, column.attname) == getattr(expected, column.attname)
            assert (found._state.adding, found._state.db) == (False, "default")

    def test_have_what_their_queryset_prefetches(self, business, django_assert_num_queries):
        service = factories.make_service(business)
        person = factories.make_staff(business, services=[service])
        prepared = CompiledQuery(
            lambda row_id: Service.objects.filter(pk=row_id).prefetch_related("staff")
        )
        prepared.rows(row_id=service.pk)
        with django_assert_num_queries(2):
            [found] = prepared.rows(row_id=service.pk)
            assert list(found.staff.all()) == [person]

    def test_are_none_where_there_is_no_row(self, business):
        prepared = CompiledQuery(build)
        assert prepared.first(business_id=business.pk, row_id=10**6) is None
        assert prepared.rows(business_id=business.pk, row_id=10**6) == []

    def test_are_found_in_whatever_order_the_values_are_passed(self, business):
        prepared = CompiledQuery(build)
        row = factories.make_customer(business, pk=business.pk + 1)
        assert prepared.first(business_id=business.pk, row_id=row.pk) == row
        assert prepared.first(row_id=row.pk, business_id=business.pk) == row
