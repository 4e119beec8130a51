from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from customers.models import Customer
from tests.factories import make_customer

URL = "/api/v1/customers"


def ids(response) -> list[int]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["data"]]


def refused(response, status: int, code: str, *fields: str) -> dict:
    body = response.json()
    assert response.status_code == status, body
    assert body["code"] == code
    assert set(body["errors"]) == set(fields)
    return body


class TestCreate:
    def test_answers_with_the_whole_object(self, client):
        response = client.post(URL, {"name": " Asha Rao ", "phone": "098765 43210"})
        data = response.json()["data"]
        assert response.status_code == 201
        assert response["Location"].endswith(f"{URL}/{data['id']}")
        stamps = {name: data.pop(name) for name in ("created_at", "updated_at")}
        assert all(value.endswith("Z") for value in stamps.values())
        assert data == {
            "id": data["id"],
            "name": "Asha Rao",
            "phone": "+919876543210",
            "email": None,
            "segment": "lead",
            "pipeline_stage": "new_lead",
            "source": "api",
            "notes": "",
            "metadata": {},
            "total_appointments": 0,
            "total_spent": "0.00",
            "last_visit_at": None,
        }

    @pytest.mark.parametrize("again", ("+91 98765-43210", "919876543210", "9876543210"))
    def test_refuses_the_same_phone_in_any_spelling(self, client, business, again):
        customer = make_customer(business, phone="+919876543210")
        response = client.post(URL, {"name": "Again", "phone": again})
        body = refused(response, 409, "customer_exists", "phone")
        assert body["meta"]["existing_id"] == customer.pk

    @pytest.mark.parametrize(
        ("body", "fields"),
        (
            ({}, ["name"]),
            ({"name": "A"}, ["phone", "email"]),
            ({"name": "A", "phone": None, "email": ""}, ["phone", "email"]),
            ({"name": "", "phone": "9876543210"}, ["name"]),
            ({"name": 7, "phone": "9876543210"}, ["name"]),
            ({"name": "A" * 201, "phone": "9876543210"}, ["name"]),
            ({"name": "A", "phone": "12345"}, ["phone"]),
            ({"name": "A", "phone": 9876543210}, ["phone"]),
            ({"name": "A", "email": "not an address"}, ["email"]),
            ({"name": "A", "email": "a@x.in", "segment": "gold"}, ["segment"]),
            ({"name": "A", "email": "a@x.in", "pipeline_stage": 3}, ["pipeline_stage"]),
            ({"name": "A", "email": "a@x.in", "metadata": {"a": 1}}, ["metadata"]),
            ({"name": "A", "email": "a@x.in", "total_spent": "5.00"}, ["total_spent"]),
            ({"name": "A", "email": "a@x.in", "notes": "n" * 5001}, ["notes"]),
        ),
    )
    def test_names_what_is_wrong(self, client, body, fields):
        refused(client.post(URL, body), 422, "validation_error", *fields)
        assert not Customer.objects.exists()

    def test_keeps_all_that_was_given(self, client):
        given = {
            "name": "Jörg 🦷",
            "email": "J@Example.com",
            "segment": "vip",
            "pipeline_stage": "contacted",
            "source": "website",
            "notes": "Line one\nLine two",
            "metadata": {"crm": "C-1"},
        }
        data = client.post(URL, given).json()["data"]
        assert {name: data[name] for name in given} == given


class TestShow:
    def test_hides_those_of_others(self, client, other_business):
        stranger = make_customer(other_business)
        for absent in (stranger.pk, 10**15, 0, -1, 2**63, "abc"):
            refused(client.get(f"{URL}/{absent}"), 404, "not_found")

    def test_costs_one_query_beside_the_frame(
        self, client, business, django_assert_max_num_queries
    ):
        customer = make_customer(business)
        client.get(URL)  # the key is known from here on
        with django_assert_max_num_queries(2):
            client.get(f"{URL}/{customer.pk}")


class TestPatch:
    def test_changes_what_is_named(self, client, business):
        customer = make_customer(business, notes="old", metadata={"a": "1"})
        response = client.patch(
            f"{URL}/{customer.pk}", {"notes": "", "segment": "inactive", "phone": "099999 99999"}
        )
        data = response.json()["data"]
        assert (data["notes"], data["segment"], data["phone"]) == ("", "inactive", "+919999999999")
        assert data["metadata"] == {"a": "1"}

    def test_refuses_the_phone_of_another(self, client, business):
        one, other = make_customer(business), make_customer(business)
        body = refused(
            client.patch(f"{URL}/{one.pk}", {"phone": other.phone}), 409, "customer_exists", "phone"
        )
        assert body["meta"]["existing_id"] == other.pk

    def test_refuses_what_has_changed_meanwhile(self, client, business):
        url = f"{URL}/{make_customer(business).pk}"
        tag = client.get(url)["ETag"]
        assert client.patch(url, {"name": "B"}, headers={"If-Match": tag}).status_code == 200
        again = client.patch(url, {"name": "C"}, headers={"If-Match": tag})
        refused(again, 412, "precondition_failed")

    def test_hides_those_of_others(self, client, other_business):
        stranger = make_customer(other_business, name="Theirs")
        refused(client.patch(f"{URL}/{stranger.pk}", {"name": "Mine"}), 404, "not_found")
        stranger.refresh_from_db()
        assert stranger.name == "Theirs"

    def test_an_empty_body_changes_nothing(self, client, business):
        customer = make_customer(business)
        assert client.patch(f"{URL}/{customer.pk}", {}).status_code == 200

    def test_cannot_delete(self, client, business):
        response = client.delete(f"{URL}/{make_customer(business).pk}")
        refused(response, 405, "method_not_allowed")
        assert "PATCH" in response["Allow"]


class TestList:
    def test_shows_the_newest_first_and_only_ours(self, client, business, other_business):
        make_customer(other_business)
        first, second = make_customer(business), make_customer(business)
        assert ids(client.get(URL)) == [second.pk, first.pk]

    @pytest.mark.parametrize(
        ("text", "found"),
        (
            ("asha", ["Asha Rao"]),
            ("RAO", ["Asha Rao"]),
            ("98765 43210", ["Asha Rao"]),
            ("098765-43210", ["Asha Rao"]),
            ("+91 98765", ["Asha Rao"]),
            ("43210", ["Asha Rao"]),
            ("EXAMPLE.com", ["Ben"]),
            ("%", []),
            ("0", ["Asha Rao"]),
            ("nobody", []),
        ),
    )
    def test_searches_name_phone_and_email(self, client, business, text, found):
        make_customer(business, name="Asha Rao", phone="+919876543210")
        make_customer(business, name="Ben", phone="", email="ben@example.com")
        response = client.get(URL, {"search": text})
        assert [row["name"] for row in response.json()["data"]] == found

    @pytest.mark.parametrize(
        ("query", "matches"),
        (
            ({"segment": "vip"}, True),
            ({"segment": "lead,vip"}, True),
            ({"segment": "lead"}, False),
            ({"pipeline_stage": "converted"}, True),
            ({"pipeline_stage": "lost,contacted"}, False),
            ({"phone": "098765 43210"}, True),
            ({"phone": "+919876543210"}, True),
            ({"phone": "9876543211"}, False),
            ({"email": "ASHA@example.com"}, True),
            ({"email": "asha"}, False),
            ({"source": "voice"}, True),
            ({"source": "api"}, False),
            ({"segment": "vip", "source": "voice", "search": "asha"}, True),
        ),
    )
    def test_filters(self, client, business, query, matches):
        customer = make_customer(
            business,
            name="Asha",
            phone="+919876543210",
            email="Asha@Example.com",
            segment="vip",
            pipeline_stage="converted",
            source="voice",
        )
        assert ids(client.get(URL, query)) == ([customer.pk] if matches else [])

    def test_reads_a_plus_that_nobody_escaped(self, client, business):
        customer = make_customer(business, phone="+919876543210")
        assert ids(client.get(f"{URL}?phone=+919876543210")) == [customer.pk]

    def test_counts_days_in_the_time_zone_of_the_business(self, client, business):
        customer = make_customer(business)
        # 19:00 UTC is 00:30 of the next day in India.
        Customer.objects.update(created_at=datetime(2026, 3, 1, 19, tzinfo=UTC))
        for query, expected in [
            ({"created_from": "2026-03-02"}, True),
            ({"created_from": "2026-03-03"}, False),
            ({"created_to": "2026-03-02"}, True),
            ({"created_to": "2026-03-01"}, False),
            ({"created_from": "2026-03-01T19:00:00Z"}, True),
            ({"created_to": "2026-03-01T19:00:00Z"}, False),
        ]:
            assert ids(client.get(URL, query)) == ([customer.pk] if expected else []), query

    def test_gives_what_changed_since(self, client, business):
        old, new = make_customer(business), make_customer(business)
        past = timezone.now() - timedelta(days=2)
        Customer.objects.filter(pk=old.pk).update(updated_at=past)
        since = (timezone.now() - timedelta(days=1)).isoformat()
        assert ids(client.get(URL, {"updated_since": since})) == [new.pk]

    @pytest.mark.parametrize(
        "name",
        (
            "segment",
            "pipeline_stage",
            "phone",
            "created_from",
            "created_to",
            "updated_since",
            "ordering",
            "name",
        ),
    )
    def test_refuses_nonsense_by_name(self, client, name):
        refused(client.get(URL, {name: "nonsense"}), 422, "validation_error", name)

    @pytest.mark.parametrize(
        ("ordering", "names"),
        (
            ("name", ["Asha", "Ben", "Cora"]),
            ("-name", ["Cora", "Ben", "Asha"]),
            ("created_at", ["Ben", "Cora", "Asha"]),
            ("last_visit_at", ["Asha", "Ben", "Cora"]),
            ("-last_visit_at", ["Ben", "Asha", "Cora"]),
        ),
    )
    def test_orders_and_pages_by_cursor(self, client, business, ordering, names):
        make_customer(business, name="Ben", last_visit_at=datetime(2026, 2, 1, tzinfo=UTC))
        make_customer(business, name="Cora")
        make_customer(business, name="Asha", last_visit_at=datetime(2026, 1, 1, tzinfo=UTC))
        found, cursor = [], ""
        while cursor is not None:
            query = {"ordering": ordering, "per_page": 1, "cursor": cursor}
            body = client.get(URL, query).json()
            found += [row["name"] for row in body["data"]]
            cursor = body["meta"]["next_cursor"]
        assert found == names

    def test_needs_no_more_queries_for_more_rows(
        self, client, business, django_assert_max_num_queries
    ):
        for _ in range(30):
            make_customer(business)
        client.get(URL)
        with django_assert_max_num_queries(3):
            assert len(ids(client.get(URL, {"per_page": 30}))) == 30
