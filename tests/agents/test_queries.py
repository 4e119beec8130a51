"""How many queries a caller waits for, whatever the size of the business."""

from __future__ import annotations

import pytest

from tests import factories
from tests.agents.ways import Vapi

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(clinic):
    for _ in range(20):
        factories.make_staff(clinic.business, services=[clinic.cleaning])
    return Vapi(clinic.business, phone="+919876543210")


class TestQueries:
    def test_of_find_times(self, line, django_assert_max_num_queries):
        with django_assert_max_num_queries(8):
            line.call("find_times", service="cleening", day="tomorrow")

    def test_of_book(self, line, django_assert_max_num_queries):
        with django_assert_max_num_queries(40):
            line.call("book", service="Cleaning", start="tomorrow 10:00", name="Asha")

    def test_of_business_info(self, line, django_assert_max_num_queries):
        with django_assert_max_num_queries(9):
            line.call("business_info")
