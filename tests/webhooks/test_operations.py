"""Operations on events, endpoints and deliveries."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from kaivox.errors import Invalid, NotFound, PreconditionFailed
from tests.appointments.test_lock_order import meanwhile
from tests.factories import make_business, make_endpoint, make_event
from webhooks import missed_events, operations
from webhooks.models import Delivery, Endpoint, Event
from webhooks.retention import prune

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 30, 15, 999_999, tzinfo=UTC)


class TestRecordEvent:
    def test_freezes_the_documented_body(self, business):
        data = {"id": 5, "name": "Zoë ☎", "n": None}
        event = operations.record_event(
            business=business, type="customer.created", data=data, now=NOW
        )
        assert (
            bytes(event.body)
            == (
                f'{{"id":"{event.uid}","type":"customer.created","created_at":"2026-03-01T12:30:15Z",'
                f'"business_id":{business.pk},"livemode":true,"api_version":"v1",'
                '"data":{"id":5,"name":"Zoë ☎","n":null}}'
            ).encode()
        )
        assert event.object_id == 5

    def test_ids_sort_by_time(self, business):
        events = [make_event(business, now=NOW + timedelta(seconds=n)) for n in range(3)]
        assert sorted(event.uid for event in events) == [event.uid for event in events]
        assert all(len(event.uid) == 30 and event.uid.startswith("evt_") for event in events)

    def test_is_delivered_to_active_subscribers_of_the_business_only(
        self, business, other_business
    ):
        subscriber = make_endpoint(business, event_types=["customer.created"])
        make_endpoint(business, event_types=["call.missed"])
        make_endpoint(business, is_active=False, disabled_reason="paused")
        make_endpoint(other_business)
        make_event(business)
        assert [delivery.endpoint for delivery in Delivery.objects.all()] == [subscriber]

    def test_is_rolled_back_with_the_change(self, business):
        make_endpoint(business)
        with transaction.atomic():
            make_event(business)
            transaction.set_rollback(True)
        assert not Event.objects.exists()
        assert not Delivery.objects.exists()

    def test_recorded_twice_under_one_key_is_one_event(self, business, other_business):
        make_endpoint(business)
        first = make_event(business, key="call-7")
        assert make_event(business, key="call-7", data={"id": 9}) == first
        assert make_event(other_business, key="call-7") != first
        assert Delivery.objects.count() == 1

    def test_rejects_unknown_types(self, business):
        with pytest.raises(KeyError):
            operations.record_event(business=business, type="call.lost", data={}, now=NOW)

    def test_does_not_need_secrets_to_be_readable(self, business, settings):
        make_endpoint(business)
        settings.SECRET_KEY = "another" * 10
        assert make_event(business).deliveries.count() == 1

    def test_costs_three_queries_however_many_subscribe(
        self, business, django_assert_max_num_queries
    ):
        for _ in range(5):
            make_endpoint(business)
        with django_assert_max_num_queries(3 + 2):  # in a savepoint
            make_event(business)


@pytest.mark.django_db(transaction=True)
class TestRecordEventConcurrently:
    def test_under_one_key_makes_one(self):
        business = make_business()
        make_endpoint(business)
        found: list[int] = []

        def record() -> None:
            try:
                with transaction.atomic():
                    found.append(make_event(business, key="same").pk)
            finally:
                connection.close()

        threads = [threading.Thread(target=record) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert (len(found), len(set(found))) == (6, 1)
        assert Delivery.objects.count() == 1


class TestEndpoints:
    def test_secret_is_encrypted_at_rest(self, business):
        endpoint = make_endpoint(business)
        with connection.cursor() as cursor:
            cursor.execute("SELECT secret FROM webhooks_endpoint")
            (stored,) = cursor.fetchone()
        assert endpoint.secret not in stored
        assert stored.startswith("gAAAA")

    def test_a_business_has_at_most_fifty(self, business):
        for _ in range(operations.MAX_ENDPOINTS):
            make_endpoint(business)
        with pytest.raises(operations.TooManyEndpoints):
            operations.register_endpoint(business=business, url="https://1.1.1.1/", now=NOW)

    def test_deleting_removes_the_secret_and_not_the_log(self, business):
        endpoint = make_endpoint(business)
        make_event(business)
        operations.delete_endpoint(endpoint=endpoint, now=NOW)
        endpoint.refresh_from_db()
        assert (endpoint.secret, endpoint.is_active) == ("", False)
        assert Delivery.objects.get().status == "cancelled"

    def test_rotating_twice_removes_the_first(self, business):
        endpoint = make_endpoint(business)
        first = endpoint.secret
        second = operations.rotate_secret(endpoint=endpoint, now=NOW).secret
        third = operations.rotate_secret(endpoint=endpoint, now=NOW)
        assert third.secrets(NOW) == [third.secret, second]
        assert first not in third.secrets(NOW)
        assert third.secrets(NOW + timedelta(hours=24)) == [third.secret]

    def test_rotating_without_grace_ends_the_old_one_at_once(self, business):
        rotated = operations.rotate_secret(
            endpoint=make_endpoint(business), grace=timedelta(0), now=NOW
        )
        assert rotated.secrets(NOW) == [rotated.secret]

    def test_rotating_replaces_an_undecryptable_secret(self, business, settings):
        endpoint = make_endpoint(business)
        settings.SECRET_KEY = "another" * 10
        rotated = operations.rotate_secret(endpoint=endpoint, now=NOW)
        assert Endpoint.objects.get().secrets(NOW) == [rotated.secret]

    @pytest.mark.parametrize("days", (-1, 8))
    def test_rejects_another_grace(self, business, days):
        with pytest.raises(Invalid):
            operations.rotate_secret(
                endpoint=make_endpoint(business), grace=timedelta(days=days), now=NOW
            )

    def test_switching_on_resets_failures(self, business):
        endpoint = make_endpoint(
            business, is_active=False, disabled_reason="failing", exhausted_in_a_row=30
        )
        changed = operations.update_endpoint(endpoint=endpoint, is_active=True, now=NOW)
        assert (changed.is_active, changed.exhausted_in_a_row, changed.disabled_reason) == (
            True,
            0,
            "",
        )


class TestRejections:
    """Rules that hold for every caller."""

    @pytest.fixture
    def off(self, business):
        return make_endpoint(business, is_active=False, disabled_reason="gone")

    def test_no_test_event_to_an_endpoint_that_is_off(self, off):
        with pytest.raises(operations.EndpointDisabled):
            operations.send_test_event(endpoint=off, type="call.missed", now=NOW)

    def test_no_replay_to_an_endpoint_that_is_off(self, off):
        with pytest.raises(operations.EndpointDisabled):
            operations.replay(endpoint=off, since=NOW, now=NOW)

    def test_the_url_is_compared_with_the_stored_one(self, business):
        """Not with that of a row which another request has changed since."""
        before = "https://hooks.example.com/before"
        endpoint = make_endpoint(business, url=before)
        Endpoint.objects.update(url="https://hooks.example.com/now")
        changed = operations.update_endpoint(endpoint=endpoint, url=before, now=NOW)
        assert changed.url == Endpoint.objects.get().url == before

    def test_no_lost_update(self, business):
        endpoint = make_endpoint(business)
        seen = endpoint.updated_at
        operations.update_endpoint(endpoint=endpoint, description="theirs", now=NOW)
        with pytest.raises(PreconditionFailed):
            operations.update_endpoint(
                endpoint=endpoint, description="mine", expected=seen, now=NOW
            )
        with pytest.raises(PreconditionFailed):
            operations.delete_endpoint(endpoint=endpoint, expected=seen, now=NOW)

    @pytest.mark.parametrize(
        "change",
        (
            lambda **row: operations.update_endpoint(**row, is_active=True),
            operations.rotate_secret,
            operations.delete_endpoint,
        ),
    )
    def test_no_change_of_one_that_another_request_has_deleted(self, business, change):
        endpoint = make_endpoint(business)
        operations.delete_endpoint(endpoint=Endpoint.objects.get(), now=NOW)
        with pytest.raises(NotFound):
            change(endpoint=endpoint, now=NOW)
        endpoint.refresh_from_db()
        assert (endpoint.secret, endpoint.is_active) == ("", False)


class TestReplay:
    def test_replays_what_it_subscribes_to_in_that_time(self, business):
        endpoint = make_endpoint(business, event_types=["customer.created"])
        hours = [NOW - timedelta(hours=n) for n in (5, 3, 1)]
        for hour in hours:
            make_event(business, now=hour)
            make_event(business, now=hour, type="call.missed")
        Delivery.objects.update(status="exhausted")
        Delivery.objects.filter(event__occurred_at=hours[1]).update(updated_at=hours[1])
        replayed = operations.replay(
            endpoint=endpoint, since=hours[1], until=hours[2], now=timezone.now()
        )
        assert replayed == 1
        assert Delivery.objects.get(status="pending").event.occurred_at == hours[1]

    def test_leaves_test_events_out(self, business):
        endpoint = make_endpoint(business)
        operations.send_test_event(endpoint=endpoint, type="call.missed", now=NOW)
        Delivery.objects.all().delete()
        since = NOW - timedelta(hours=1)
        assert operations.replay(endpoint=endpoint, since=since, now=timezone.now()) == 0

    def test_ends_where_the_endpoint_is_switched_off(self, business, monkeypatch):
        endpoint = make_endpoint(business)
        for _ in range(3):
            make_event(business)
        Delivery.objects.all().delete()
        monkeypatch.setattr(operations, "_REPLAY_BATCH_SIZE", 1)
        monkeypatch.setattr(
            missed_events,
            "wake_workers_on_commit",
            lambda: operations.update_endpoint(endpoint=endpoint, is_active=False, now=NOW),
        )
        since, now = NOW - timedelta(hours=1), timezone.now()
        assert operations.replay(endpoint=endpoint, since=since, now=now) == 1
        assert list(Delivery.objects.values_list("status", flat=True)) == ["cancelled"]

    @pytest.mark.skipif(settings.EMBEDDED, reason="SQLite has one writer at a time")
    @pytest.mark.django_db(transaction=True)
    def test_of_two_at_once_each_event_is_queued_once(self, business, monkeypatch):
        endpoint = make_endpoint(business)
        make_event(business)
        Delivery.objects.all().delete()
        counts = []

        def recover():
            since, now = NOW - timedelta(hours=1), timezone.now()
            counts.append(operations.replay(endpoint=endpoint, since=since, now=now))

        def first(pause):
            monkeypatch.setattr(missed_events, "wake_workers_on_commit", pause)
            recover()

        assert meanwhile(first, recover) == ("done", "done")
        assert sorted(counts) == [0, 1]
        assert Delivery.objects.count() == 1


class TestPrune:
    def test_deletes_old_finished_events(self, business):
        endpoint = make_endpoint(business)
        now = timezone.now()
        for age, status in ((40, "exhausted"), (40, "pending"), (10, "exhausted")):
            event = make_event(business, now=now - timedelta(days=age))
            event.deliveries.update(status=status)
        make_endpoint(business, deleted_at=now, is_active=False, disabled_reason="deleted")
        assert prune(before=now - timedelta(days=30)) == 1
        statuses = Delivery.objects.order_by("pk").values_list("status", flat=True)
        assert list(statuses) == ["pending", "exhausted"]
        assert list(Endpoint.objects.all()) == [endpoint]
