"""`GET /events`: the feed of frozen bodies, and its long poll."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from kaivox.api.fields import format_instant
from kaivox.db.transactions import write_transaction
from tests.factories import make_endpoint, make_event, make_key
from webhooks import event_views, long_polling
from webhooks.long_polling import TooManyLongPolls, waiting
from webhooks.models import Event
from webhooks.operations import send_test_event

pytestmark = pytest.mark.django_db

URL = "/api/v1/events"


@pytest.fixture(autouse=True)
def no_leases():
    cache.clear()


@pytest.fixture
def with_scopes(business, client_of):
    def make(*scopes):
        return client_of(make_key(business, scopes=list(scopes)))

    return make


def uids(response):
    assert response.status_code == 200, response.content
    return [event["id"] for event in response.json()["data"]]


class TestList:
    def test_has_the_frozen_bodies_oldest_first(self, client, business):
        events = [make_event(business) for _ in range(3)]
        shown = client.get(URL).json()["data"]
        assert shown == [json.loads(bytes(event.body)) for event in events]
        assert list(shown[0]) == [
            "id", "type", "created_at", "business_id", "livemode", "api_version", "data",
        ]  # fmt: skip

    def test_has_events_that_no_endpoint_subscribes_to(self, client, business):
        make_endpoint(business, event_types=["call.missed"])
        event = make_event(business)
        assert uids(client.get(URL)) == [event.uid]

    def test_leaves_test_events_out(self, client, business):
        endpoint = make_endpoint(business)
        send_test_event(endpoint=endpoint, type="call.missed", now=timezone.now())
        assert uids(client.get(URL)) == []
        assert client.get(f"{URL}/{Event.objects.get().uid}").status_code == 404

    def test_leaves_other_businesses_out(self, client, other_business):
        event = make_event(other_business)
        assert uids(client.get(URL)) == []
        assert client.get(f"{URL}/{event.uid}").status_code == 404

    @pytest.mark.parametrize(
        ("query", "found"),
        (
            ("type=appointment.booked", ["a"]),
            ("type=missed_call,appointment.booked", ["a", "b"]),
            ("object_id=77", ["a", "b"]),
            ("object_id=77&type=call.missed", ["b"]),
            ("object_id=78", ["c"]),
            ("object_id=5", []),
        ),
    )
    def test_is_filtered_by_type_and_object(self, client, business, query, found):
        names = {
            make_event(business, type=kind, data={"id": number}).uid: name
            for name, kind, number in (
                ("a", "appointment.booked", 77),
                ("b", "call.missed", 77),
                ("c", "customer.created", 78),
            )
        }
        assert [names[uid] for uid in uids(client.get(f"{URL}?{query}"))] == found

    def test_is_filtered_by_since(self, client, business):
        make_event(business, now=timezone.now() - timedelta(hours=2))
        new = make_event(business)
        since = format_instant(timezone.now() - timedelta(hours=1))
        assert uids(client.get(f"{URL}?since={since}")) == [new.uid]

    @pytest.mark.parametrize(
        "query",
        ("type=call.lost", "object_id=x", "since=yesterday", "wait=21", "wait=-1", "wait=1.5",
         "wait=5&ordering=-created_at", "wait=5&format=ndjson", "ordering=type"),
    )  # fmt: skip
    def test_rejects_invalid_parameters(self, client, business, query):
        response = client.get(f"{URL}?{query}")
        assert response.status_code == 422, response.content
        assert list(response.json()["errors"]) == [query.partition("=")[0]]

    def test_a_rejected_stream_holds_no_lease(self, client, business):
        make_event(business)
        for _ in range(5):
            assert client.get(f"{URL}?wait=5&format=ndjson").status_code == 422
        assert client.get(f"{URL}?format=ndjson").getvalue()


class TestCursor:
    def test_resumes_at_the_end(self, client, business):
        events = [make_event(business).uid for _ in range(3)]
        page = client.get(f"{URL}?per_page=2&cursor=")
        assert page.json()["meta"]["next_cursor"] == page.json()["meta"]["resume_cursor"]
        last = client.get(f"{URL}?cursor={page.json()['meta']['next_cursor']}")
        assert uids(page) + uids(last) == events
        assert last.json()["meta"]["next_cursor"] is None
        resume = last.json()["meta"]["resume_cursor"]
        empty = client.get(f"{URL}?cursor={resume}")
        assert uids(empty) == []
        assert empty.json()["meta"]["resume_cursor"] == resume
        new = make_event(business)
        assert uids(client.get(f"{URL}?cursor={resume}")) == [new.uid]

    def test_of_an_empty_feed_is_its_start(self, client, business):
        resume = client.get(URL).json()["meta"]["resume_cursor"]
        event = make_event(business)
        assert uids(client.get(f"{URL}?cursor={resume}")) == [event.uid]

    def test_does_not_resume_behind_a_page_number_or_backwards(self, client, business):
        make_event(business)
        for query in ("page=9", "ordering=-created_at"):
            assert client.get(f"{URL}?{query}").json()["meta"]["resume_cursor"] is None

    def test_does_not_move_with_an_erasure(self, client, business):
        first, second = make_event(business), make_event(business)
        Event.objects.filter(pk=first.pk).update(body=first.body)
        assert uids(client.get(URL)) == [first.uid, second.uid]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
class TestLateCommit:
    def test_holds_younger_events_back_until_it_is_visible(self, client, business):
        recorded, may_commit = threading.Event(), threading.Event()
        late: list[str] = []

        def record_late():
            with write_transaction():
                late.append(make_event(business).uid)
                recorded.set()
                may_commit.wait(30)
            connection.close()

        thread = threading.Thread(target=record_late)
        thread.start()
        try:
            assert recorded.wait(30)
            young = make_event(business).uid
            before = client.get(f"{URL}?cursor=")
        finally:
            may_commit.set()
            thread.join(30)
        assert uids(before) == []
        resume = before.json()["meta"]["resume_cursor"]
        assert uids(client.get(f"{URL}?cursor={resume}")) == [*late, young]


class TestScopes:
    def test_other_types_are_left_out(self, with_scopes, business):
        own = make_event(business)
        make_event(business, type="call.missed")
        assert uids(with_scopes("customers:read").get(URL)) == [own.uid]

    @pytest.mark.parametrize("kind", ("call.missed", "missed_call", "customer.created,call.missed"))
    def test_a_type_by_name_needs_its_scope(self, with_scopes, business, kind):
        response = with_scopes("customers:read").get(f"{URL}?type={kind}")
        assert response.status_code == 403
        assert response.json()["meta"]["required_scope"] == "calls:read"

    def test_one_needs_its_scope(self, with_scopes, business):
        event = make_event(business, type="call.missed")
        response = with_scopes("customers:read", "webhooks:read").get(f"{URL}/{event.uid}")
        assert response.status_code == 403
        assert response.json()["meta"]["required_scope"] == "calls:read"
        shown = with_scopes("calls:read").get(f"{URL}/{event.uid}").json()["data"]
        assert shown == json.loads(bytes(event.body))

    def test_without_any_there_is_no_feed(self, with_scopes, business):
        response = with_scopes("webhooks:read", "webhooks:write", "slots:read").get(URL)
        assert response.status_code == 403
        assert response.json()["code"] == "insufficient_scope"


class TestWait:
    @pytest.fixture(autouse=True)
    def often(self, monkeypatch):
        monkeypatch.setattr(event_views, "POLL_SECONDS", 0.02)

    def test_does_not_wait_where_there_are_events(self, client, business, monkeypatch):
        monkeypatch.setattr(event_views, "POLL_SECONDS", 3600)
        event = make_event(business)
        assert uids(client.get(f"{URL}?wait=20")) == [event.uid]

    def test_ends_without_an_event(self, client, business):
        response = client.get(f"{URL}?wait=1")
        assert uids(response) == []
        assert response.json()["meta"]["resume_cursor"] == ""

    def test_head_does_not_wait(self, client, business, monkeypatch):
        monkeypatch.setattr(event_views, "POLL_SECONDS", 3600)
        assert client.head(f"{URL}?wait=20").status_code == 200

    @pytest.mark.django_db(transaction=True)
    def test_ends_with_the_first_event(self, client, business):
        empty = client.get(URL).json()["meta"]["resume_cursor"]
        responses = []

        def wait():
            responses.append(client.get(f"{URL}?wait=20&cursor={empty}"))
            connection.close()

        thread = threading.Thread(target=wait)
        thread.start()
        event = make_event(business)
        thread.join(30)
        assert uids(responses[0]) == [event.uid]

    def test_is_limited_per_business(self, client, business, other_business, monkeypatch):
        monkeypatch.setattr(long_polling, "process_slots", threading.BoundedSemaphore(9))
        with waiting(business.pk), waiting(business.pk):
            response = client.get(f"{URL}?wait=5")
            with waiting(other_business.pk):
                pass
            assert client.get(URL).status_code == 200
            event = make_event(business)
            assert uids(client.get(f"{URL}?wait=5")) == [event.uid]
        assert (response.status_code, response.json()["code"]) == (429, "too_many_long_polls")
        assert response["Retry-After"]

    def test_is_limited_per_process(self, client, business):
        assert 0 < long_polling.PER_PROCESS <= max(1, settings.WEB_THREADS // 8)
        held = [waiting(10**6 + number) for number in range(long_polling.PER_PROCESS)]
        for one in held:
            one.__enter__()
        try:
            assert client.get(f"{URL}?wait=5").json()["code"] == "too_many_long_polls"
        finally:
            for one in held:
                one.__exit__(None, None, None)
        assert client.get(f"{URL}?wait=1").status_code == 200

    def test_of_an_embedded_server_is_one_and_documented(self):
        assert max(1, 8 // long_polling.THREADS_PER_POLL) == 1
        places = {
            "docs/webhooks.md": "one in all where KaiVox is embedded",
            "docs/cli.md": "where KaiVox is embedded (`make up`) one in all",
            "docs/errors.md": "one in all where KaiVox is embedded",
            "docs/quotas.md": "one of all businesses where embedded",
            "webhooks/filters.py": "one in all on an embedded server",
        }
        root = settings.BASE_DIR
        assert [
            path for path, text in places.items() if text not in (root / path).read_text()
        ] == []

    def test_releases_what_it_holds_after_an_error(self, business):
        for _ in range(5):
            with pytest.raises(LookupError), waiting(business.pk):
                raise LookupError
        with waiting(business.pk):
            pass

    def test_a_rejected_one_holds_nothing(self, business, monkeypatch):
        monkeypatch.setattr(long_polling, "process_slots", threading.BoundedSemaphore(3))
        with waiting(business.pk), waiting(business.pk):
            for _ in range(3):
                with pytest.raises(TooManyLongPolls), waiting(business.pk):
                    pass
        with waiting(business.pk), waiting(business.pk):
            pass
