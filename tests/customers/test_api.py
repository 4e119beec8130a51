"""Customers over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from customers.models import Customer
from tests.factories import make_customer, make_key
from webhooks.models import Event

URL = "/api/v1/customers"


def ids(response) -> list[int]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["data"]]


def rejected(response, status: int, code: str, *fields: str) -> dict:
    body = response.json()
    assert response.status_code == status, body
    assert body["code"] == code
    assert set(body["errors"]) == set(fields)
    return body


class TestCreate:
    def test_returns_the_whole_object(self, client):
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
    def test_rejects_the_same_phone_in_any_spelling(self, client, business, again):
        customer = make_customer(business, phone="+919876543210")
        response = client.post(URL, {"name": "Again", "phone": again})
        body = rejected(response, 409, "customer_exists", "phone")
        assert body["meta"]["existing_id"] == customer.pk

    @pytest.mark.parametrize(
        "phone",
        ("+81" + "9" * 14, "+81" + "9" * 18, "0000000000", "1111111111", "98765 43210 ext 5"),
    )
    def test_rejects_what_is_not_a_phone(self, client, business, phone):
        rejected(client.post(URL, {"name": "A", "phone": phone}), 422, "validation_error", "phone")
        customer = make_customer(business, phone="+919876543210")
        response = client.patch(f"{URL}/{customer.pk}", {"phone": phone})
        rejected(response, 422, "validation_error", "phone")

    @pytest.mark.parametrize(
        ("one", "other"),
        (
            ("+52 1 55 1234 5678", "+52 55 1234 5678"),
            ("+54 9 11 2345 6789", "+54 11 2345-6789"),
            ("tel:+919876543210", "098765 43210"),
        ),
    )
    def test_recognises_one_number_in_two_forms(self, client, one, other):
        first = client.post(URL, {"name": "A", "phone": one}).json()["data"]
        body = rejected(
            client.post(URL, {"name": "B", "phone": other}), 409, "customer_exists", "phone"
        )
        assert body["meta"]["existing_id"] == first["id"]
        assert ids(client.get(URL, {"phone": one})) == ids(client.get(URL, {"phone": other}))

    def test_names_what_is_wrong(self, client):
        for body, fields in (
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
        ):
            rejected(client.post(URL, body), 422, "validation_error", *fields)
        assert not Customer.objects.exists()

    def test_stores_all_values(self, client):
        values = {
            "name": "Jörg 🦷",
            "email": "J@Example.com",
            "segment": "vip",
            "pipeline_stage": "contacted",
            "source": "website",
            "notes": "Line one\nLine two",
            "metadata": {"crm": "C-1"},
        }
        data = client.post(URL, values).json()["data"]
        assert {name: data[name] for name in values} == values


class TestOnExisting:
    """`POST /customers?on_existing=return`."""

    def test_returns_the_existing_customer(self, client, business):
        customer = make_customer(business, name="Asha", phone="+919876543210", email="")
        other = make_customer(business, phone="", email="A@é.in")
        for body, existing in (
            ({"name": "B", "phone": "098765 43210"}, customer),
            ({"name": "B", "email": "a@É.in"}, other),
        ):
            shown = client.get(f"{URL}/{existing.pk}").json()["data"]
            response = client.post(f"{URL}?on_existing=return", body)
            assert (response.status_code, response.json()["data"]) == (200, shown)
            assert "Location" not in response
        assert not Event.objects.exists()

    def test_creates_a_new_customer(self, client):
        response = client.post(f"{URL}?on_existing=return", {"name": "A", "email": "a@x.in"})
        assert response.status_code == 201

    def test_leaves_other_errors(self, client, business):
        make_customer(business, phone="+919876543210")
        same = {"name": "B", "phone": "9876543210"}
        rejected(client.post(f"{URL}?on_existing=error", same), 409, "customer_exists", "phone")
        response = client.post(f"{URL}?on_existing=update", same)
        rejected(response, 422, "validation_error", "on_existing")
        response = client.post(f"{URL}?on_existing=return", {"name": "B", "phone": "12"})
        rejected(response, 422, "validation_error", "phone")

    def test_shows_the_id_alone_to_a_key_that_cannot_read(self, client_of, business):
        customer = make_customer(business, phone="+919876543210", email="asha@x.in")
        client = client_of(make_key(business, scopes=["customers:write"]))
        body = {"name": "B", "phone": "9876543210"}
        response = client.post(f"{URL}?on_existing=return", body)
        assert (response.status_code, response.json()["data"]) == (200, {"id": customer.pk})

    def test_is_repeated_with_an_idempotency_key(self, client, business):
        customer = make_customer(business, phone="+919876543210")
        for _ in range(2):
            response = client.post(
                f"{URL}?on_existing=return",
                {"name": "B", "phone": "9876543210"},
                headers={"Idempotency-Key": "one"},
            )
            assert (response.status_code, response.json()["data"]["id"]) == (200, customer.pk)


class TestShow:
    def test_hides_customers_of_others(self, client, other_business):
        stranger = make_customer(other_business)
        for absent in (stranger.pk, 10**15, 0, -1, 2**63, "abc"):
            rejected(client.get(f"{URL}/{absent}"), 404, "not_found")

    def test_costs_one_query_beside_the_frame(
        self, client, business, django_assert_max_num_queries
    ):
        customer = make_customer(business)
        client.get(URL)  # compiles the queries
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

    def test_rejects_the_phone_of_another(self, client, business):
        one, other = make_customer(business), make_customer(business)
        body = rejected(
            client.patch(f"{URL}/{one.pk}", {"phone": other.phone}), 409, "customer_exists", "phone"
        )
        assert body["meta"]["existing_id"] == other.pk

    def test_rejects_a_stale_version(self, client, business):
        url = f"{URL}/{make_customer(business).pk}"
        tag = client.get(url)["ETag"]
        assert client.patch(url, {"name": "B"}, headers={"If-Match": tag}).status_code == 200
        again = client.patch(url, {"name": "C"}, headers={"If-Match": tag})
        rejected(again, 412, "precondition_failed")

    def test_hides_customers_of_others(self, client, other_business):
        stranger = make_customer(other_business, name="Theirs")
        rejected(client.patch(f"{URL}/{stranger.pk}", {"name": "Mine"}), 404, "not_found")
        stranger.refresh_from_db()
        assert stranger.name == "Theirs"

    def test_an_empty_body_changes_nothing(self, client, business):
        customer = make_customer(business)
        assert client.patch(f"{URL}/{customer.pk}", {}).status_code == 200

    def test_cannot_delete(self, client, business):
        response = client.delete(f"{URL}/{make_customer(business).pk}")
        rejected(response, 405, "method_not_allowed")
        assert "PATCH" in response["Allow"]


class TestList:
    def test_shows_the_newest_first_and_only_ours(self, client, business, other_business):
        make_customer(other_business)
        first, second = make_customer(business), make_customer(business)
        assert ids(client.get(URL)) == [second.pk, first.pk]

    def test_searches_name_phone_and_email(self, client, business):
        make_customer(business, name="Asha Rao", phone="+919876543210")
        make_customer(business, name="Ben", phone="", email="ben@example.com")
        make_customer(business, name="Élodie Ødegård", phone="", email="É.Ø@example.com")
        make_customer(business, name="किताब", phone="+442079460018", email="")
        make_customer(business, name="Chitra", phone="+919818100042", email="")
        for text, found in (
            ("asha", ["Asha Rao"]),
            ("RAO", ["Asha Rao"]),
            ("asha  rao", ["Asha Rao"]),
            ("98765 43210", ["Asha Rao"]),
            ("098765-43210", ["Asha Rao"]),
            ("+91 98765", ["Asha Rao"]),
            ("43210", ["Asha Rao"]),
            ("0018", ["किताब"]),  # not every number with 18 in it
            ("00042", ["Chitra"]),
            ("098181", ["Chitra"]),
            ("tel:+91-98765-43210", ["Asha Rao"]),
            ("whatsapp:+919876543210", ["Asha Rao"]),
            ("0091 98765 43210", ["Asha Rao"]),
            ("BEN@example.com", ["Ben"]),
            ("elodie", ["Élodie Ødegård"]),
            ("ÉLODIE ODEGARD", ["Élodie Ødegård"]),
            ("é.ø@EXAMPLE", ["Élodie Ødegård"]),
            ("+44 (0)20 7946 0018", ["किताब"]),
            ("+44 (0)20 7946", ["किताब"]),
            ("0044 20 7946 0018", ["किताब"]),
            ("किता", ["किताब"]),
            ("काम", []),
            ("rao +91", []),  # not across fields
            ("%", []),
            ("_", []),
            ("\u200b", []),
            ("charles", []),
        ):
            response = client.get(URL, {"search": text})
            assert [row["name"] for row in response.json()["data"]] == found, text

    def test_finds_every_spelling_that_the_phone_filter_accepts(self, client, business):
        customer = make_customer(business, phone="+541123456789")
        for text in ("+54 9 11 2345-6789", "+54 11 2345 6789", "tel:+54-11-2345-6789"):
            assert ids(client.get(URL, {"phone": text})) == [customer.pk]
            assert ids(client.get(URL, {"search": text})) == [customer.pk]

    def test_filters(self, client, business):
        customer = make_customer(
            business,
            name="Asha",
            phone="+919876543210",
            email="Ásha@Example.com",
            segment="vip",
            pipeline_stage="converted",
            source="voice",
        )
        for query, matches in (
            ({"segment": "vip"}, True),
            ({"segment": "lead,vip"}, True),
            ({"segment": "lead"}, False),
            ({"pipeline_stage": "converted"}, True),
            ({"pipeline_stage": "lost,contacted"}, False),
            ({"phone": "098765 43210"}, True),
            ({"phone": "+919876543210"}, True),
            ({"phone": "9876543211"}, False),
            ({"email": "áSHA@example.com"}, True),
            ({"email": "asha@example.com"}, False),  # an accent makes another address
            ({"email": "ásha"}, False),
            ({"source": "voice"}, True),
            ({"source": "api"}, False),
            ({"segment": "vip", "source": "voice", "search": "asha"}, True),
        ):
            assert ids(client.get(URL, query)) == ([customer.pk] if matches else []), query

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

    def test_finds_what_changed_since(self, client, business):
        old, new = make_customer(business), make_customer(business)
        past = timezone.now() - timedelta(days=2)
        Customer.objects.filter(pk=old.pk).update(updated_at=past)
        since = (timezone.now() - timedelta(days=1)).isoformat()
        assert ids(client.get(URL, {"updated_since": since})) == [new.pk]

    def test_names_the_parameter_that_cannot_be_read(self, client):
        for name in (
            "segment",
            "pipeline_stage",
            "phone",
            "created_from",
            "created_to",
            "updated_since",
            "ordering",
            "name",
        ):
            rejected(client.get(URL, {name: "nonsense"}), 422, "validation_error", name)

    def test_reads_an_unescaped_plus_in_every_parameter(self, client, business):
        make_customer(business, name="Asha", phone="+919876543210", email="a+b@example.com")
        for query in (
            "email=a+b@example.com",
            "email=A%2Bb@example.com",
            "search=a+b@example.com",
            "search=+b@example",
            "phone=+919876543210",
            "search=+919876543210",
            "created_from=2026-01-01T00:00:00+05:30",
            "created_from=2026-01-01T00:00:00+05",
            "created_from=2026-01-01+00:00:00%2B0530",
            "created_to=2199-01-01T00:00:00+00:00",
            "updated_since=2026-01-01T00:00:00+0530",
        ):
            response = client.get(f"{URL}?{query}")
            assert [row["name"] for row in response.json()["data"]] == ["Asha"], query

    def test_orders_and_pages_by_cursor(self, client, business):
        make_customer(business, name="Ben", last_visit_at=datetime(2026, 2, 1, tzinfo=UTC))
        make_customer(business, name="Cora")
        make_customer(business, name="Asha", last_visit_at=datetime(2026, 1, 1, tzinfo=UTC))
        for ordering, names in (
            ("name", ["Asha", "Ben", "Cora"]),
            ("-name", ["Cora", "Ben", "Asha"]),
            ("created_at", ["Ben", "Cora", "Asha"]),
            ("last_visit_at", ["Asha", "Ben", "Cora"]),
            ("-last_visit_at", ["Ben", "Asha", "Cora"]),
        ):
            found, cursor = [], ""
            while cursor is not None:
                query = {"ordering": ordering, "per_page": 1, "cursor": cursor}
                body = client.get(URL, query).json()
                found += [row["name"] for row in body["data"]]
                cursor = body["meta"]["next_cursor"]
            assert found == names, ordering

    def test_needs_no_more_queries_for_more_rows(
        self, client, business, django_assert_max_num_queries
    ):
        for _ in range(30):
            make_customer(business)
        client.get(URL)
        with django_assert_max_num_queries(3):
            assert len(ids(client.get(URL, {"per_page": 30}))) == 30


class TestMetadata:
    def test_is_shown_by_key_on_every_database(self, client):
        """In the response of the write, in its event, and whenever it is read again."""
        body = {"name": "A", "email": "a@x.in", "metadata": {"zz": "1", "a": "2", "mmm": "3"}}
        created = client.post(URL, body)
        read = client.get(f"{URL}/{created.json()['data']['id']}")
        event = bytes(Event.objects.get(type="customer.created").body).decode()
        for text in (created.content.decode(), read.content.decode(), event):
            assert '"metadata":{"a":"2","mmm":"3","zz":"1"}' in text
