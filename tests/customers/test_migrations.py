"""Data migrations of customers."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer
from kaivox.db.migrations import fill_folded_text
from tests.factories import make_appointment, make_customer

argentina = import_module("customers.migrations.0003_one_spelling_of_argentine_numbers")
scheduled = import_module("appointments.migrations.0005_customers_last_scheduled")


class TestOneSpellingOfArgentineNumbers:
    def test_drops_the_prefix_unless_another_customer_has_the_number(
        self, business, other_business
    ):
        alone = make_customer(business, phone="+5491123456789")
        twin = make_customer(business, phone="+5491123456780")
        make_customer(business, phone="+541123456780")
        make_customer(other_business, phone="+541123456789")
        indian = make_customer(business, phone="+919876543210")
        argentina.drop_mobile_prefix(apps, connection)
        phones = dict(Customer.objects.values_list("pk", "phone"))
        assert phones[alone.pk] == "+541123456789"
        assert phones[twin.pk] == "+5491123456780"
        assert phones[indian.pk] == "+919876543210"


class TestFillFoldedColumns:
    def test_fills_every_row(self, business, monkeypatch):
        monkeypatch.setattr("kaivox.db.migrations._BATCH", 2)
        expected = {}
        for number in range(5):
            customer = make_customer(business, name=f"Élodie {number}", email=f"É{number}@x.in")
            expected[customer.pk] = (f"é{number}@x.in", customer.search_text)
        Customer.objects.update(email_folded="", search_text="")
        fill = fill_folded_text("customers", "customer", "email_folded", "search_text").code
        fill(apps, connection)
        columns = ("email_folded", "search_text")
        assert {
            pk: tuple(values) for pk, *values in Customer.objects.values_list("pk", *columns)
        } == expected
        with CaptureQueriesContext(connection) as queries:
            fill(apps, connection)
        assert not [one for one in queries if one["sql"].startswith("UPDATE")]


class TestCustomersLastScheduled:
    def test_sets_the_latest_start_ahead(self, business):
        start = timezone.now() + timedelta(days=300)
        appointment = make_appointment(business, start_time=start)
        person = appointment.customer
        make_appointment(business, customer=person)
        make_appointment(
            business, customer=person, start_time=start + timedelta(days=1), status="cancelled"
        )
        make_appointment(business, start_time=timezone.now() - timedelta(days=1))
        scheduled.set_last_scheduled(apps, connection)
        found = dict(Customer.objects.exclude(last_scheduled_at=None).values_list("pk", "name"))
        assert found == {person.pk: person.name}
        person.refresh_from_db()
        assert person.last_scheduled_at == start
