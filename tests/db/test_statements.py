"""Statements of Django's ORM that have private names only."""

from __future__ import annotations

import pytest
from django.db.models.query import ValuesListIterable
from django.utils import timezone

from customers.models import Customer
from kaivox.db.statements import (
    CountLimitedQuerySet,
    delete_without_model,
    insert_or_ignore,
    with_row_class,
)
from tests import factories
from webhooks.event_bodies import new_event
from webhooks.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def event_of(business):
    return lambda key: new_event(business, "customer.created", {}, timezone.now(), dedup_key=key)


class TestInsertOrIgnore:
    def test_inserts_a_row(self, event_of):
        event = event_of("first")
        assert insert_or_ignore(event)
        assert not event._state.adding
        assert Event.objects.get() == event

    def test_leaves_the_row_that_forbids_it(self, event_of):
        first, second = event_of("same"), event_of("same")
        assert [insert_or_ignore(first), insert_or_ignore(second)] == [True, False]
        assert second.pk is None
        assert Event.objects.get() == first


def test_delete_without_model_returns_how_many(event_of):
    for key in ("a", "b"):
        event_of(key).save()
    assert delete_without_model(Event.objects.filter(dedup_key="a")) == 1
    assert Event.objects.get().dedup_key == "b"


def test_with_row_class_makes_rows_by_it(business):
    class Lengths(ValuesListIterable):
        def __iter__(self):
            return (len(row) for row in super().__iter__())

    factories.make_customer(business)
    rows = with_row_class(Customer.objects.values_list("pk", "name"), Lengths)
    assert list(rows) == [2]


def test_a_filter_keeps_the_limit_of_the_count():
    rows = CountLimitedQuerySet(Event)
    rows.count_limit = 3
    assert rows.filter(type="customer.created").order_by("pk").count_limit == 3
