from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from calls import models
from calls.models import Call
from tests.factories import make_call, make_customer, make_key

URL = "/api/v1/calls"


def ids(response) -> list[int]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["data"]]


def refused(response, status: int, code: str, *fields: str) -> dict:
    body = response.json()
    assert response.status_code == status, body
    assert body["code"] == code
    assert set(body["errors"]) == set(fields)
    return body


class TestShow:
    def test_has_every_field_and_the_transcript(self, client, business):
        customer = make_customer(business, name="Asha Rao")
        call = make_call(
            business,
            customer=customer,
            from_number=customer.phone,
            started_at=datetime(2026, 3, 1, 4, 30, tzinfo=UTC),
            duration_seconds=95,
            end_reason="caller_hung_up",
            outcome="information",
            sentiment="positive",
            sentiment_score=0.5,
            summary="Asked for a cleaning.",
            recording_url="https://rec.example.com/1.mp3",
            transcript=[("agent", "Smile Dental."), ("caller", "A cleaning, please.")],
        )
        data = client.get(f"{URL}/{call.pk}").json()["data"]
        stamps = {name: data.pop(name) for name in ("created_at", "updated_at")}
        assert all(value.endswith("Z") for value in stamps.values())
        assert data == {
            "id": call.pk,
            "provider": "kaivox",
            "provider_call_id": call.provider_call_id,
            "direction": "inbound",
            "status": "completed",
            "from_number": customer.phone,
            "to_number": "+918012345678",
            "customer_id": customer.pk,
            "customer_name": "Asha Rao",
            "appointment_id": None,
            "started_at": "2026-03-01T04:30:00Z",
            "ended_at": "2026-03-01T04:31:35Z",
            "duration_seconds": 95,
            "end_reason": "caller_hung_up",
            "outcome": "information",
            "sentiment": "positive",
            "sentiment_score": 0.5,
            "summary": "Asked for a cleaning.",
            "recording_url": "https://rec.example.com/1.mp3",
            "transcript": [
                {"speaker": "agent", "text": "Smile Dental.", "offset_seconds": 0.0},
                {"speaker": "caller", "text": "A cleaning, please.", "offset_seconds": 5.0},
            ],
        }

    def test_says_null_for_what_is_not_known(self, client, business):
        call = make_call(business, from_number="", status="in_progress", ended_at=None)
        data = client.get(f"{URL}/{call.pk}").json()["data"]
        unknown = ["from_number", "customer_id", "customer_name", "appointment_id", "ended_at"]
        unknown += ["outcome", "sentiment", "sentiment_score", "recording_url"]
        assert {name: data[name] for name in unknown} == dict.fromkeys(unknown)
        assert data["transcript"] == []

    def test_hides_those_of_others(self, client, other_business):
        for absent in (make_call(other_business).pk, 10**15, 0, -1, 2**63, "abc"):
            refused(client.get(f"{URL}/{absent}"), 404, "not_found")

    @pytest.mark.parametrize("method", ("post", "put", "patch", "delete"))
    def test_calls_are_only_read(self, client, business, method):
        make_call(business)
        refused(getattr(client, method)(URL), 405, "method_not_allowed")

    def test_needs_its_scope(self, client, business):
        client.credentials(HTTP_X_API_KEY=make_key(business, scopes=["customers:read"]))
        body = refused(client.get(URL), 403, "insufficient_scope")
        assert "calls:read" in body["message"]


class TestList:
    def test_shows_the_latest_first_without_transcripts(self, client, business, other_business):
        make_call(other_business)
        old = make_call(business, started_at=timezone.now() - timedelta(days=3))
        new = make_call(business, transcript=[("caller", "Hello")])
        response = client.get(URL)
        assert ids(response) == [new.pk, old.pk]
        assert all("transcript" not in row for row in response.json()["data"])

    @pytest.mark.parametrize(
        ("query", "matches"),
        (
            ({"sentiment": "negative"}, True),
            ({"sentiment": "positive,negative"}, True),
            ({"sentiment": "neutral"}, False),
            ({"status": "completed"}, True),
            ({"status": "missed,failed"}, False),
            ({"direction": "outbound"}, True),
            ({"direction": "inbound"}, False),
            ({"phone": "098765 43210"}, True),
            ({"phone": "+91 80 1234 5678"}, True),
            ({"phone": "9876543211"}, False),
            ({"min_duration": "90"}, True),
            ({"min_duration": "91"}, False),
            ({"date": "2026-03-02"}, True),
            ({"date": "2026-03-01"}, False),
            ({"date_from": "2026-03-02", "date_to": "2026-03-02"}, True),
            ({"date_to": "2026-03-01"}, False),
            ({"search": "cleaning"}, True),
            ({"search": "CLEAN tuesday"}, True),
            ({"search": "cleaning friday"}, False),
            ({"search": "leaning"}, False),
            ({"search": "wisdom"}, True),
            ({"search": "?!"}, False),
            ({"status": "completed", "search": "clean", "min_duration": "1"}, True),
        ),
    )
    def test_filters(self, client, business, query, matches):
        call = make_call(
            business,
            direction="outbound",
            sentiment="negative",
            from_number="+918012345678",
            to_number="+919876543210",
            duration_seconds=90,
            # 00:30 of the second of March in India.
            started_at=datetime(2026, 3, 1, 19, tzinfo=UTC),
            summary="About a wisdom tooth.",
            transcript=[("caller", "I'd like a cleaning on Tuesday, not at 10:30.")],
        )
        found = ids(client.get(URL, query))
        assert found == ([call.pk] if matches else [])

    def test_finds_the_calls_of_a_customer(self, client, business):
        customer = make_customer(business)
        call = make_call(business, customer=customer)
        make_call(business)
        assert ids(client.get(URL, {"customer_id": customer.pk})) == [call.pk]

    def test_rejects_the_customer_of_another_business(self, client, other_business):
        stranger = make_customer(other_business)
        response = client.get(URL, {"customer_id": stranger.pk})
        refused(response, 422, "validation_error", "customer_id")

    def test_compares_what_is_no_phone_number_literally(self, client, business):
        call = make_call(business, from_number="reception")
        assert ids(client.get(URL, {"phone": "reception"})) == [call.pk]
        assert ids(client.get(URL, {"phone": "12"})) == []

    def test_searches_any_script(self, client, business):
        call = make_call(business, transcript=[("caller", "मुझे मंगलवार को आना है")])
        assert ids(client.get(URL, {"search": "मंगलवार"})) == [call.pk]
        assert ids(client.get(URL, {"search": "शुक्रवार"})) == []

    @pytest.mark.parametrize(
        "text", ("'", "a & b", "(x | y)", ":*", "!", "\\", "a:b:*", "<->", "%", "_", "é́", "🦷")
    )
    def test_takes_any_search_text(self, client, business, text):
        make_call(business, transcript=[("caller", "zzz")])
        assert ids(client.get(URL, {"search": text})) == []

    def test_counts_a_search_so_far_and_leads_through_all_of_it(
        self, client, business, monkeypatch
    ):
        for name, value in {"MANY_CALLS": 5, "FEW_MATCHES": 3, "MOST_COUNTED": 4}.items():
            monkeypatch.setattr(models, name, value)
        for _ in range(7):
            make_call(business, transcript=[("caller", "A cleaning.")])
        make_call(business, sentiment="negative", transcript=[("caller", "Nothing.")])
        query = {"search": "cleaning", "per_page": "2"}
        body = client.get(URL, query).json()
        assert (body["meta"]["total"], body["meta"]["total_pages"]) == (None, None)
        assert body["meta"]["total_at_least"] == 4
        assert len(ids(client.get(URL, {**query, "page": "4"}))) == 1
        assert ids(client.get(URL, {**query, "page": "5"})) == []
        assert ids(client.get(URL, {**query, "page": str(2**63 - 1)})) == []
        body = client.get(URL, {**query, "page": "2"}).json()
        found = [row["id"] for row in body["data"]]
        while body["meta"]["next_cursor"]:
            body = client.get(URL, {**query, "cursor": body["meta"]["next_cursor"]}).json()
            found += [row["id"] for row in body["data"]]
        assert len(found) == len(set(found)) == 5
        assert ids(client.get(URL, {"search": "cleaning", "sentiment": "negative"})) == []

    @pytest.mark.parametrize("share", (0, 0.03, 1))
    def test_finds_the_same_among_many_calls(self, client, business, monkeypatch, share):
        for name, value in {"MANY_CALLS": 2, "COMMON_SHARE": share}.items():
            monkeypatch.setattr(models, name, value)
        found = [make_call(business, transcript=[("caller", "Molar")]).pk for _ in range(3)]
        make_call(business, transcript=[("caller", "Jaw")])
        response = client.get(URL, {"search": "mol"})
        assert sorted(ids(response)) == found
        assert response.json()["meta"]["total"] == 3

    def test_gives_what_changed_since(self, client, business):
        old, new = make_call(business), make_call(business)
        now = timezone.now()
        Call.objects.filter(pk=old.pk).update(updated_at=now - timedelta(days=2))
        assert ids(client.get(URL, {"updated_since": (now - timedelta(days=1)).isoformat()})) == [
            new.pk
        ]

    @pytest.mark.parametrize(
        "name",
        (
            "sentiment",
            "status",
            "direction",
            "customer_id",
            "date",
            "date_from",
            "date_to",
            "min_duration",
            "updated_since",
            "ordering",
            "cursor",
            "page",
            "per_page",
            "outcome",
        ),
    )
    def test_rejects_unknown_parameters_by_name(self, client, name):
        refused(client.get(URL, {name: "nonsense"}), 422, "validation_error", name)

    @pytest.mark.parametrize(
        ("ordering", "expected"),
        (
            ("-duration_seconds", [3, 2, 1]),
            ("duration_seconds", [1, 2, 3]),
            ("started_at", [2, 3, 1]),
        ),
    )
    def test_orders_and_pages_by_cursor(self, client, business, ordering, expected):
        now = timezone.now()
        for duration, days in ((3, 2), (1, 1), (2, 3)):
            make_call(business, duration_seconds=duration, started_at=now - timedelta(days=days))
        found, cursor = [], ""
        while cursor is not None:
            query = {"ordering": ordering, "per_page": 1, "cursor": cursor}
            body = client.get(URL, query).json()
            found += [row["duration_seconds"] for row in body["data"]]
            cursor = body["meta"]["next_cursor"]
        assert found == expected

    def test_needs_no_more_queries_for_more_rows(
        self, client, business, django_assert_max_num_queries
    ):
        for _ in range(30):
            make_call(business, customer=make_customer(business), transcript=[("caller", "Hi")])
        client.get(URL)
        with django_assert_max_num_queries(3):
            assert len(ids(client.get(URL, {"per_page": 30}))) == 30
