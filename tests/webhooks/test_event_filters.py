"""Filters of endpoints: which events they let through, and how they are set."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.utils import timezone

from kaivox.errors import Invalid
from tests.factories import make_endpoint, make_event, make_key, make_user
from webhooks import operations
from webhooks.event_filters import as_text, check_filters, from_text, matches
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Delivery, Endpoint

HOOK = "/api/v1/webhooks"
NO_SHOW = {"field": "data.status", "operator": "eq", "value": "no_show"}
DATA = {
    "status": "no_show", "price": "1200.00", "call_id": None, "service": "Dental Cleaning",
    "duration_minutes": 30, "start_time": "2026-03-02T04:30:00Z", "metadata": {"crm.id": "1042"},
}  # fmt: skip
BODY = {"type": "appointment.no_show", "livemode": True, "data": DATA}


def holds(field, operator, value):
    filters = check_filters([{"field": field, "operator": operator, "value": value}])
    return matches(filters, json.dumps(BODY).encode())


@pytest.mark.once
class TestMatches:
    @pytest.mark.parametrize(
        ("field", "operator", "value", "expected"),
        (
            ("data.status", "eq", "no_show", True),
            ("data.status", "eq", "completed", False),
            ("data.status", "ne", "completed", True),
            ("data.status", "in", ["cancelled", "no_show"], True),
            ("data.status", "not_in", ["cancelled", "no_show"], False),
            ("data.price", "eq", 1200, True),
            ("data.price", "gt", 1200, False),
            ("data.price", "gte", 1200, True),
            ("data.price", "gte", 999.5, True),
            ("data.price", "lt", 10_000, True),
            ("data.duration_minutes", "lte", 30, True),
            ("data.start_time", "gte", "2026-03-01T00:00:00Z", True),
            ("data.start_time", "lt", "2026-03-01T00:00:00Z", False),
            ("data.service", "contains", "cleaning", True),
            ("data.service", "gt", 5, False),
            ("data.call_id", "eq", None, True),
            ("data.call_id", "gt", 1, False),
            ("data.call_id", "contains", "x", False),
            ("data.sentiment", "eq", "negative", False),
            ("data.sentiment", "ne", "negative", True),
            ("data.sentiment", "eq", None, True),
            ("data.metadata.crm.id", "eq", "1042", True),
            ("data.metadata.crm.id", "eq", 1042, True),
            ("data.metadata.other", "eq", None, True),
            ("livemode", "eq", True, True),
            ("livemode", "eq", 1, False),
            ("type", "contains", "appointment.", True),
        ),
    )
    def test_as_documented(self, field, operator, value, expected):
        assert holds(field, operator, value) is expected

    def test_all_have_to_hold(self):
        both = [NO_SHOW, {"field": "data.price", "operator": "lt", "value": 5}]
        assert matches([NO_SHOW], json.dumps(BODY).encode())
        assert not matches(both, json.dumps(BODY).encode())

    def test_an_erasure_is_sent_whatever_they_say(self):
        body = {"type": "customer.erased", "data": EVENT_TYPES["customer.erased"].example}
        assert matches([NO_SHOW], json.dumps(body).encode())

    @pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=lambda kind: kind.name)
    def test_every_single_value_can_be_filtered(self, kind):
        for name, value in kind.example.items():
            if not isinstance(value, dict | list):
                one = {"field": f"data.{name}", "operator": "eq", "value": value}
                body = {"type": kind.name, "data": kind.example}
                assert matches(check_filters([one]), json.dumps(body).encode())


@pytest.mark.once
class TestCheckFilters:
    @pytest.mark.parametrize(
        ("change", "message"),
        (
            ({"field": "data.statsu"}, 'Did you mean "data.status"'),
            ({"field": "data.transcript"}, "no such field"),
            ({"field": "data.metadata."}, "no such field"),
            ({"field": 1}, "are text"),
            ({"operator": "like"}, "no such operator"),
            ({"operator": "gt", "value": True}, "text or a number"),
            ({"operator": "gt", "value": None}, "text or a number"),
            ({"operator": "in"}, "a list of 1 to 50"),
            ({"operator": "in", "value": []}, "a list of 1 to 50"),
            ({"operator": "in", "value": [["x"]]}, "text or a number"),
            ({"operator": "contains", "value": 1}, "is text"),
            ({"value": {"a": 1}}, "text or a number"),
            ({"value": "x" * 201}, "at most 200"),
            ({"value": 10**18}, "at most 18 digits"),
            ({"value": float("nan")}, "at most 18 digits"),
            ({"more": 1}, "nothing else"),
        ),
    )
    def test_names_what_is_wrong(self, change, message):
        with pytest.raises(Invalid) as raised:
            check_filters([NO_SHOW, NO_SHOW | change])
        (problem,) = raised.value.errors["filters"]
        assert problem.startswith("Filter 2: ")
        assert message in problem


@pytest.mark.once
class TestText:
    @pytest.mark.parametrize(
        ("line", "operator", "value"),
        (
            ("data.status = no_show", "eq", "no_show"),
            ("data.price>=1000", "gte", 1000),
            ("data.status != no_show", "ne", "no_show"),
            ("data.status in no_show, cancelled", "in", ["no_show", "cancelled"]),
            ("data.status not in no_show", "not_in", ["no_show"]),
            ("data.service contains Deep clean", "contains", "Deep clean"),
            ("data.summary contains 12", "contains", "12"),
            ("data.call_id = null", "eq", None),
            ('data.source = "12"', "eq", "12"),
            ('data.source in ["a, b", "c"]', "in", ["a, b", "c"]),
        ),
    )
    def test_is_read_and_written(self, line, operator, value):
        (found,) = from_text(line)
        assert (found["operator"], found["value"]) == (operator, value)
        assert from_text(as_text([found])) == [found]

    def test_names_a_line_that_is_no_filter(self):
        with pytest.raises(ValueError, match="nonsense"):
            from_text("data.status = x\nnonsense")


@pytest.mark.django_db
class TestDelivery:
    def test_only_matching_events_are_delivered(self, business):
        filtered = make_endpoint(business, filters=[NO_SHOW])
        make_endpoint(business)
        for name in ("appointment.no_show", "appointment.booked", "customer.erased"):
            make_event(business, type=name, data=EVENT_TYPES[name].example)
        types = Delivery.objects.filter(endpoint=filtered).values_list("event__type", flat=True)
        assert sorted(types) == ["appointment.no_show", "customer.erased"]
        assert Delivery.objects.count() == 5

    def test_replay_queues_what_matches(self, business, monkeypatch):
        """In batches of one: events that no filter lets through must not end it, nor repeat it."""
        monkeypatch.setattr(operations, "_REPLAY_BATCH_SIZE", 1)
        since = timezone.now()
        for name in ("appointment.booked", "appointment.no_show", "appointment.booked") * 2:
            make_event(business, type=name, data=EVENT_TYPES[name].example)
        endpoint = make_endpoint(business, filters=[NO_SHOW])
        for expected in (2, 0):
            replayed = operations.replay(endpoint=endpoint, since=since, now=timezone.now())
            assert replayed == expected

    def test_a_test_event_is_sent_in_any_case(self, business):
        endpoint = make_endpoint(business, filters=[NO_SHOW])
        operations.send_test_event(endpoint=endpoint, type="appointment.booked", now=timezone.now())
        assert Delivery.objects.count() == 1


@pytest.mark.django_db
class TestApi:
    def test_sets_shows_and_clears_them(self, client, receiver):
        created = client.post(HOOK, {"url": receiver.url, "filters": [NO_SHOW]}, format="json")
        path = f"{HOOK}/{created.json()['data']['id']}"
        assert created.json()["data"]["filters"] == [NO_SHOW]
        client.patch(path, {"description": "x"}, format="json")
        assert client.get(path).json()["data"]["filters"] == [NO_SHOW]
        for nothing in (None, []):
            changed = client.patch(path, {"filters": nothing}, format="json")
            assert changed.json()["data"]["filters"] == []

    @pytest.mark.parametrize(
        "filters",
        ("x", [1], [{}], [NO_SHOW] * 11, [NO_SHOW | {"field": "data.x"}], {"field": "data.status"}),
    )
    def test_rejects_others(self, client, receiver, filters):
        response = client.post(HOOK, {"url": receiver.url, "filters": filters}, format="json")
        assert response.status_code == 422
        assert all(name.startswith("filters") for name in response.json()["errors"])

    def test_need_the_scope_of_the_events(self, business, client_of):
        """Otherwise the deliveries would reveal to a key whether a value matches."""
        endpoint = make_endpoint(business)
        narrow = client_of(make_key(business, scopes=["webhooks:read", "webhooks:write"]))
        response = narrow.patch(f"{HOOK}/{endpoint.pk}", {"filters": [NO_SHOW]}, format="json")
        assert response.status_code == 403


@pytest.mark.django_db
class TestPages:
    @pytest.fixture
    def browser(self, business):
        browser = Client()
        browser.force_login(make_user(business))
        return browser

    def test_settings_save_and_show_them(self, browser, business):
        endpoint = make_endpoint(business)
        path = f"/settings/webhooks/{endpoint.pk}/edit"
        form = {"url": endpoint.url, "event_types": ["*"], "filters": "data.status = no_show"}
        rules = {"rate_limit": "30", "rate_limit_period": "second", "in_order": "on"}
        browser.post(path, form | rules)
        endpoint.refresh_from_db()
        assert endpoint.filters == [NO_SHOW]
        assert (endpoint.rate_limit, endpoint.rate_limit_period) == (30, "second")
        assert endpoint.in_order
        assert "data.status = no_show" in browser.get(path).content.decode()
        page = browser.post(path, form | {"filters": "nonsense"})
        assert "nonsense" in page.content.decode()
        assert Endpoint.objects.get().filters == [NO_SHOW]

    def test_in_the_admin(self, browser, business):
        endpoint = make_endpoint(business)
        form = {
            "url": endpoint.url, "description": "", "event_types": ["*"], "max_in_flight": 4,
            "headers": "", "rate_limit": 30, "rate_limit_period": "second", "filters": "data.status = no_show",
        }  # fmt: skip
        browser.post(f"/admin/webhooks/endpoint/{endpoint.pk}/change/", form)
        endpoint.refresh_from_db()
        assert endpoint.filters == [NO_SHOW]
