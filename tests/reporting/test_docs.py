"""docs/bi.md: every question runs as printed, and returns the columns that its chart names."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from kaivox.pages.docs.articles import find_article
from kaivox.reporting.sql_views import VIEWS
from tests import factories

_QUESTION = re.compile(r"^### (.+?)\n\n```sql\n(.+?)```\n\n(Chart: .+?)\n(?:\n|$)", re.M | re.S)
QUESTIONS = _QUESTION.findall(find_article("bi").text + "\n")


def fill(business):
    service = factories.make_service(business)
    staff = factories.make_staff(business, services=[service])
    customer = factories.make_customer(business)
    for days, status in ((1, "completed"), (8, "completed"), (9, "no_show")):
        start = timezone.now() - timedelta(days=days)
        booked = factories.make_appointment(
            business, service=service, staff=staff, customer=customer, start_time=start,
            status=status,
        )  # fmt: skip
        factories.reserve(booked, factories.make_resource(business))
        factories.make_call(
            business, started_at=start, sentiment="positive", sentiment_score=0.7, outcome="booked"
        )
    factories.make_waitlist_entry(business, service=service, customer=customer)
    factories.make_endpoint(business)
    factories.make_event(business)


class TestPage:
    pytestmark = pytest.mark.once

    def test_has_twelve_questions(self):
        assert len(QUESTIONS) == find_article("bi").text.count("\n### ") == 12

    def test_lists_every_view(self):
        listed = re.findall(r"^\| `(\w+)` \|", find_article("bi").text, re.M)
        assert listed == [view.name for view in VIEWS]


@pytest.mark.skipif(settings.EMBEDDED, reason="BI logins need PostgreSQL")
@pytest.mark.django_db(transaction=True)
def test_questions_return_the_columns_of_their_charts(business, session):
    fill(business)
    for title, statement, chart in QUESTIONS:
        found = session.execute(statement)
        returned = {column.name for column in found.description}
        assert set(re.findall(r"`(\w+)`", chart)) <= returned, title
        assert found.fetchall(), f"{title}: no rows"
