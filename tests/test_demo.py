"""The demo is credible, and made once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from appointments.models import Appointment, Status
from calls.models import Call
from customers.models import Customer, Segment
from kaivox.businesses.models import ApiKey, Business
from kaivox.demo import first_start
from kaivox.demo.catalogue import BUSINESSES, STUDIO_NINE
from kaivox.demo.conversations import BOOKED, OTHERS
from kaivox.demo.fill import fill_business, fill_demo
from kaivox.demo.planning import plans_of
from staff.models import Break, Closure, TimeOff, WorkingHours
from tests import factories

NOW = datetime(2026, 11, 25, 15, 30, tzinfo=UTC)


class TestPlans:
    @pytest.mark.parametrize("demo", BUSINESSES, ids=lambda demo: demo.slug)
    def test_are_the_same_for_the_same_day(self, demo):
        assert list(plans_of(demo, NOW.date())) == list(plans_of(demo, NOW.date()))

    @pytest.mark.parametrize("demo", BUSINESSES, ids=lambda demo: demo.slug)
    @pytest.mark.parametrize("today", (date(2026, 3, 20), date(2026, 11, 1), date(2026, 12, 24)))
    def test_give_nobody_two_things_at_once(self, demo, today):
        for person in demo.staff:
            own = sorted(
                (plan for plan in plans_of(demo, today) if plan.staff is person),
                key=lambda plan: plan.start,
            )
            assert all(one.end <= other.start for one, other in pairwise(own))


class TestConversations:
    @pytest.mark.parametrize("conversation", (*BOOKED, *OTHERS), ids=lambda one: one.summary[:20])
    def test_have_words_for_every_placeholder(self, conversation):
        words = dict.fromkeys(("business", "agent", "name", "service", "day", "time"), "…")
        assert all("{" not in turn.format(**words) for turn in conversation.turns)


@pytest.mark.django_db
class TestFilling:
    def test_makes_a_business_that_could_be_real(self):
        business = fill_business(STUDIO_NINE, now=NOW)
        statuses = set(Appointment.objects.for_business(business).values_list("status", flat=True))
        assert statuses == set(Status.values)
        assert set(
            Customer.objects.for_business(business).values_list("segment", flat=True)
        ) == set(Segment.values)
        for model in (WorkingHours, Break, Closure, TimeOff):
            assert model.objects.filter(business=business).exists(), model
        calls = Call.objects.for_business(business)
        assert set(calls.values_list("status", flat=True)) == {"completed", "missed"}
        moods = set(calls.filter(status="completed").values_list("sentiment", flat=True))
        assert moods == {"positive", "neutral", "negative"}
        assert not calls.filter(status="completed", transcript=[]).exists()

    def test_lies_in_the_past_and_in_the_future(self):
        business = fill_business(STUDIO_NINE, now=NOW)
        rows = Appointment.objects.for_business(business)
        assert not rows.filter(start_time__gt=NOW, status=Status.COMPLETED).exists()
        assert rows.filter(start_time__gt=NOW, status=Status.SCHEDULED).count() > 10
        assert not rows.filter(end_time__lte=NOW, status=Status.SCHEDULED).exists()

    def test_makes_only_what_is_missing(self):
        for demo in BUSINESSES:
            factories.make_business(slug=demo.slug)
        assert fill_demo(now=NOW) == []
        assert not Appointment.objects.exists()

    def test_keeps_out_of_a_database_with_businesses(self):
        factories.make_business(slug="real")
        first_start.fill_demo_once(now=NOW)
        assert Business.objects.count() == 1


@pytest.mark.django_db
class TestKeys:
    @pytest.fixture(autouse=True)
    def folder(self, settings, tmp_path):
        settings.VAR = tmp_path

    def test_are_the_same_at_the_next_start(self):
        factories.make_business(slug=STUDIO_NINE.slug)
        assert first_start.demo_keys(now=NOW) == first_start.demo_keys(now=NOW)

    def test_are_for_this_user_alone(self, tmp_path):
        factories.make_business(slug=STUDIO_NINE.slug)
        first_start.demo_keys(now=NOW)
        assert (tmp_path / "up-keys.json").stat().st_mode & 0o777 == 0o600

    def test_are_made_anew_when_revoked(self):
        business = factories.make_business(slug=STUDIO_NINE.slug)
        before = first_start.demo_keys(now=NOW)
        ApiKey.objects.for_business(business).update(revoked_at=NOW)
        assert first_start.demo_keys(now=NOW) != before

    @pytest.mark.parametrize("kept", ("", "no JSON", "[]", '{"studio-nine": 7}'))
    def test_survive_a_file_that_is_broken(self, tmp_path, kept):
        factories.make_business(slug=STUDIO_NINE.slug)
        (tmp_path / "up-keys.json").write_text(kept)
        assert first_start.demo_keys(now=NOW)["studio-nine"].startswith("kv_live_")


@pytest.mark.django_db
class TestAdministrator:
    def test_is_made_once(self):
        assert len(first_start.make_administrator()) == 16
        assert first_start.make_administrator() is None
