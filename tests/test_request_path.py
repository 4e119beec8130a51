"""A request passes no more files and functions of ours than the bench `request_path` allows."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import count

import pytest
from django.core.wsgi import get_wsgi_application
from django.utils import timezone

from tests import factories
from tests.bench.request_path import BOUNDS, WARM, passed_by, wsgi_call

pytestmark = pytest.mark.django_db(transaction=True)  # a request is no part of a transaction


@pytest.fixture
def call(api_key):
    application = get_wsgi_application()
    return lambda *request: wsgi_call(application, api_key, *request)[0]


def check(name, ask):
    for _ in range(WARM):  # compiles the queries
        assert ask() < 300
    most_files, most_functions = BOUNDS[name]
    # The least of three: an outage of Redis, or of its connection, passes more.
    files, functions = min((passed_by(ask) for _ in range(3)), key=lambda passed: len(passed[1]))
    assert len(files) <= most_files, sorted(files)
    assert len(functions) <= most_functions, sorted(functions)


def test_list(call, business):
    person, service = factories.make_staff(business), factories.make_service(business)
    customer = factories.make_customer(business)
    for hours in range(21):  # more than a page
        start = timezone.now() + timedelta(hours=hours)
        factories.make_appointment(
            staff=person, service=service, customer=customer, start_time=start
        )
    check("GET list", lambda: call("GET", "/appointments"))


def test_booking(call, business):
    service = factories.make_service(business)
    person = factories.make_staff(business, services=[service], hours=["00:00-24:00"])
    customer = factories.make_customer(business)
    noon = datetime.combine(timezone.now().date() + timedelta(days=2), time(12), UTC)
    starts = (noon + timedelta(hours=number) for number in count())

    def book():
        body = {"customer_id": customer.pk, "service_id": service.pk, "staff_id": person.pk}
        return call("POST", "/appointments", {**body, "start_time": next(starts).isoformat()})

    check("POST", book)
