"""The demo data is plausible and created once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.db.models import Count, F, Sum

from appointments.groups.models import AppointmentSeries, Visit
from appointments.models import Appointment, AppointmentStatus, ResourceBooking
from appointments.resources.models import Resource
from appointments.waitlist.models import WaitlistEntry
from appointments.waitlist.operations import offer_free_times
from calls.models import Call
from customers.models import Customer, Segment
from kaivox.businesses.models import ApiKey, Business
from kaivox.db.encrypted_fields import readable
from kaivox.demo.appointments import plans_of
from kaivox.demo.catalogue import BUSINESSES, CASA_VERDE, PEAK_GYMS, SMILE_DENTAL, STUDIO_NINE
from kaivox.demo.conversations import BOOKED, OTHERS
from kaivox.demo.seed import seed_business, seed_demo
from kaivox.demo.wipe import wipe_sandbox
from kaivox.embedded import first_start
from kaivox.pages.openapi_reader import operations
from kaivox.request_log.models import RequestLogEntry
from ratelimits.models import DailyUsage
from staff.models import Break, BusyCalendar, CalendarBusyTime, Closure, TimeOff, WorkingHours
from tests import factories
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.once

NOW = datetime(2026, 11, 25, 15, 30, tzinfo=UTC)


class TestPlans:
    @pytest.mark.parametrize("demo", BUSINESSES, ids=lambda demo: demo.slug)
    def test_are_the_same_for_the_same_day(self, demo):
        assert list(plans_of(demo, NOW.date())) == list(plans_of(demo, NOW.date()))

    @pytest.mark.parametrize("demo", BUSINESSES, ids=lambda demo: demo.slug)
    @pytest.mark.parametrize("today", (date(2026, 3, 20), date(2026, 11, 1), date(2026, 12, 24)))
    def test_never_overlap_for_one_person(self, demo, today):
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


@pytest.fixture(scope="class")
def seeded_studio(django_db_setup, django_db_blocker):
    """Seeded once, as it takes a second. Each test's own transaction is a savepoint in this one."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield seed_business(STUDIO_NINE, now=NOW)
        transaction.set_rollback(True)


@pytest.fixture
def studio(seeded_studio, db) -> Business:
    return seeded_studio


class TestOneBusiness:
    def test_creates_every_status_segment_and_sentiment(self, studio):
        statuses = set(Appointment.objects.for_business(studio).values_list("status", flat=True))
        assert statuses == set(AppointmentStatus.values)
        assert set(Customer.objects.for_business(studio).values_list("segment", flat=True)) == set(
            Segment.values
        )
        for model in (WorkingHours, Break, Closure, TimeOff):
            assert model.objects.filter(business=studio).exists(), model
        calls = Call.objects.for_business(studio)
        assert set(calls.values_list("status", flat=True)) == {"completed", "missed"}
        moods = set(calls.filter(status="completed").values_list("sentiment", flat=True))
        assert moods == {"positive", "neutral", "negative"}
        assert not calls.filter(status="completed", transcript=[]).exists()

    def test_has_past_and_upcoming_appointments(self, studio):
        rows = Appointment.objects.for_business(studio)
        assert not rows.filter(start_time__gt=NOW, status=AppointmentStatus.COMPLETED).exists()
        assert rows.filter(start_time__gt=NOW, status=AppointmentStatus.SCHEDULED).count() > 10
        assert not rows.filter(end_time__lte=NOW, status=AppointmentStatus.SCHEDULED).exists()

    def test_links_booked_calls_to_their_appointments(self, studio):
        booked = Call.objects.for_business(studio).filter(outcome="booked")
        assert booked.count() > 5
        for call in booked:
            appointment = Appointment.objects.get(pk=call.appointment_id)
            assert appointment.call_id == call.pk
            assert appointment.customer_id == call.customer_id
            assert appointment.created_at == call.ended_at < NOW

    def test_books_on_different_days(self, studio):
        upcoming = Appointment.objects.for_business(studio).filter(start_time__gt=NOW)
        assert len({row.created_at.date() for row in upcoming}) > 5

    def test_creates_no_customer_after_their_first_booking(self, studio):
        rows = Appointment.objects.for_business(studio)
        assert not rows.filter(created_at__lt=F("customer__created_at")).exists()

    def test_has_deliveries_of_which_some_failed_and_sends_none(self, studio):
        deliveries = Delivery.objects.for_business(studio)
        assert set(deliveries.values_list("status", flat=True)) == {"succeeded", "exhausted"}
        assert all(row.attempts.count() == row.attempt_count for row in deliveries)
        assert not Endpoint.objects.for_business(studio).filter(is_active=True).exists()

    def test_has_an_endpoint_that_was_disabled_because_it_failed(self, studio):
        endpoint = Endpoint.objects.for_business(studio).get(disabled_reason="failing")
        log = Delivery.objects.filter(endpoint=endpoint)
        failed = log.filter(status="exhausted")
        assert endpoint.exhausted_in_a_row == failed.count() > 0
        assert not log.filter(status="succeeded", created_at__gte=endpoint.failing_since).exists()
        assert log.filter(status="succeeded").exists()

    def test_has_api_usage_of_the_days_before_today(self, studio):
        usage = DailyUsage.objects.for_business(studio)
        assert usage.count() == 29
        assert not usage.filter(day__gte=NOW.date()).exists()

    def test_has_a_request_log_with_some_errors(self, studio):
        entries = RequestLogEntry.objects.for_business(studio)
        assert not entries.filter(at__gte=NOW).exists()
        served = {(one.method.upper(), one.path) for one in operations()}
        assert set(entries.values_list("method", "path_template")) <= served
        assert 0 < entries.errors().count() < entries.count() / 4
        codes = set(entries.errors().values_list("error_code", flat=True))
        documented = (Path(__file__).parents[2] / "docs/errors.md").read_text(encoding="utf-8")
        assert all(f"`{code}`" in documented for code in codes)


@pytest.mark.django_db
class TestSeeding:
    @pytest.mark.parametrize("today", (NOW, datetime(2026, 12, 19, 22, 5, tzinfo=UTC)))
    def test_has_classes_of_which_one_is_full_and_somebody_waits(self, today):
        business = seed_business(PEAK_GYMS, now=today)
        classes = Appointment.objects.for_business(business).filter(is_shared=True)
        assert set(classes.values_list("service__name", flat=True)) == {"Spin class", "Yoga class"}
        assert classes.filter(start_time__lt=today).exists()
        sessions = classes.filter(start_time__gt=today).values(
            "staff", "service", "service__capacity", "start_time"
        )
        upcoming = list(
            sessions.annotate(seats=Sum("party_size"), people=Count("customer", distinct=True))
        )
        assert all(one["people"] == one["seats"] for one in upcoming)
        full = [one for one in upcoming if one["seats"] == one["service__capacity"]]
        assert len(full) == 1 < len(upcoming)
        entry = WaitlistEntry.objects.get(business=business)
        assert entry.service_id == full[0]["service"]
        assert entry.date_from == full[0]["start_time"].astimezone(business.zone).date()
        assert offer_free_times(now=today) == 0

    @pytest.mark.parametrize("demo", (SMILE_DENTAL, CASA_VERDE), ids=lambda demo: demo.slug)
    def test_reserves_resources_that_are_large_enough(self, demo):
        business = seed_business(demo, now=NOW)
        needed = [one.name for one in demo.services if one.resource_kinds]
        rows = Appointment.objects.for_business(business)
        booked = ResourceBooking.objects.for_business(business)
        for ours in (rows.filter(start_time__lt=NOW), rows.filter(start_time__gt=NOW)):
            with_some = ours.filter(service__name__in=needed)
            assert with_some.count() == booked.filter(appointment__in=ours).count() > 5
        assert not booked.filter(resource__capacity__lt=F("appointment__party_size")).exists()
        assert {*rows.values_list("party_size", flat=True)} == {*demo.parties}
        assert booked.values("resource").distinct().count() > 1

    # During the series are holidays, and a change of clocks.
    @pytest.mark.parametrize("now", (NOW, datetime(2026, 10, 20, 3, tzinfo=UTC)))
    def test_has_a_visit_and_a_series(self, now):
        business = seed_business(STUDIO_NINE, now=now)
        visit = Visit.objects.get(business=business).appointments.order_by("start_time")
        first, second = visit.select_related("service")
        assert (first.service.name, second.service.name) == STUDIO_NINE.visit
        assert now < first.start_time < first.end_time == second.start_time
        series = AppointmentSeries.objects.get(business=business).appointments
        local = {one.start_time.astimezone(business.zone) for one in series.all()}
        assert STUDIO_NINE.series.number - 2 <= len(local) <= STUDIO_NINE.series.number
        assert {(one.weekday(), one.hour) for one in local} == {(4, 9)}

    def test_has_a_calendar_elsewhere_that_is_read_and_one_that_fails(self, client_of):
        business = seed_business(SMILE_DENTAL, now=NOW)
        key = factories.make_key(business)
        calendars = client_of(key).get("/api/v1/calendars").json()["data"]
        states = {one["status"]: one for one in calendars}
        assert set(states) == {"current", "stale"}
        assert states["current"]["problem"] is None
        assert states["stale"]["problem"] == "It responded with status 404."
        assert states["stale"]["last_read_at"] < states["stale"]["failing_since"] < f"{NOW:%FT%TZ}"
        for calendar in BusyCalendar.objects.for_business(business):
            assert calendar.busy_times.count() == calendar.busy_count > 5
        booked = Appointment.objects.for_business(business).filter(start_time__gt=NOW)
        for busy in CalendarBusyTime.objects.for_business(business):
            ours = booked.filter(staff=busy.staff_id)
            assert not ours.overlapping(busy.start_time, busy.end_time).exists()

    @pytest.mark.parametrize("demo", BUSINESSES, ids=lambda demo: demo.slug)
    def test_never_reads_a_calendar(self, demo):
        seed_business(demo, now=NOW)
        in_a_century = NOW + timedelta(days=36_500)
        assert not BusyCalendar.objects.due(in_a_century).exists()
        addresses = BusyCalendar.objects.values_list("ics_url", flat=True)
        hosts = {urlsplit(readable(address)).hostname for address in addresses}
        assert all(host.endswith(".example") for host in hosts)

    @pytest.mark.parametrize("demo", BUSINESSES, ids=lambda demo: demo.slug)
    def test_can_be_wiped(self, demo):
        business = seed_business(demo, now=NOW)
        wipe_sandbox(business=business, now=NOW)
        for model in (Appointment, ResourceBooking, Resource, Visit, AppointmentSeries, Customer):
            assert not model._base_manager.filter(business=business).exists(), model

    def test_creates_only_missing_businesses(self):
        for demo in BUSINESSES:
            factories.make_business(slug=demo.slug)
        assert seed_demo(now=NOW) == []
        assert not Appointment.objects.exists()

    def test_is_skipped_in_a_database_with_businesses(self):
        factories.make_business(slug="real")
        first_start.seed_demo_once(now=NOW)
        assert Business.objects.count() == 1


@pytest.mark.django_db
class TestKeys:
    @pytest.fixture(autouse=True)
    def folder(self, settings, tmp_path):
        settings.DATA_DIR = tmp_path

    def test_are_the_same_at_the_next_start(self):
        factories.make_business(slug=STUDIO_NINE.slug)
        assert first_start.demo_keys(now=NOW) == first_start.demo_keys(now=NOW)

    def test_are_readable_by_the_owner_only(self, tmp_path):
        factories.make_business(slug=STUDIO_NINE.slug)
        first_start.demo_keys(now=NOW)
        assert (tmp_path / "up-keys.json").stat().st_mode & 0o777 == 0o600

    def test_are_issued_again_when_revoked(self):
        business = factories.make_business(slug=STUDIO_NINE.slug)
        before = first_start.demo_keys(now=NOW)
        ApiKey.objects.for_business(business).update(revoked_at=NOW)
        assert first_start.demo_keys(now=NOW) != before

    @pytest.mark.parametrize("content", ("", "no JSON", "[]", '{"studio-nine": 7}'))
    def test_ignore_a_broken_file(self, tmp_path, content):
        factories.make_business(slug=STUDIO_NINE.slug)
        (tmp_path / "up-keys.json").write_text(content)
        assert first_start.demo_keys(now=NOW)["studio-nine"].startswith("kv_live_")


@pytest.mark.django_db
class TestAdministrator:
    def test_is_created_once(self):
        assert len(first_start.make_administrator()) == 16
        assert first_start.make_administrator() is None
