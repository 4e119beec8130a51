from __future__ import annotations

import copy
import logging
import pickle
import traceback
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import httpx
import pytest

from kaivox import KaiVox, KaiVoxError, errors
from kaivox.models import Appointment, EndpointWithSecret

KEY = "kv_live_" + "a" * 38
TEST_KEY = "kv_test_" + "b" * 38
APPOINTMENT = {
    "id": 4812,
    "customer_id": 391,
    "start_time": "2026-03-02T04:30:00Z",
    "appointment_date": "2026-03-02",
    "price": "1200.00",
    "call_id": None,
    "status": "scheduled",
    "metadata": {"crm_id": "C-1"},
    "a_field_of_tomorrow": 1,
}


class TestCreateClient:
    def test_reads_key_and_address_from_the_environment(self, monkeypatch):
        monkeypatch.setenv("KAIVOX_API_KEY", KEY)
        monkeypatch.setenv("KAIVOX_URL", "https://api.example/")
        with KaiVox() as kaivox:
            assert (
                repr(kaivox) == "KaiVox(BearerKey(kv_live_…aaaa), base_url='https://api.example')"
            )
            assert kaivox.livemode

    @pytest.mark.parametrize("key", ["", "sk_live_x", "kv_live_ä", "kv_live_a\nb"])
    def test_rejects_what_is_no_key(self, key):
        with pytest.raises(KaiVoxError, match="API key"):
            KaiVox(key)

    @pytest.mark.parametrize("url", ["localhost:8000", "ftp://api.example"])
    def test_rejects_what_is_no_address(self, url):
        with pytest.raises(KaiVoxError, match="https://"):
            KaiVox(KEY, base_url=url)

    def test_of_a_sandbox_reads_a_variable_of_its_own(self, monkeypatch):
        monkeypatch.setenv("KAIVOX_API_KEY", KEY)
        monkeypatch.setenv("KAIVOX_TEST_API_KEY", TEST_KEY)
        assert KaiVox(sandbox=True).livemode is False
        assert KaiVox().livemode is True

    @pytest.mark.parametrize(("key", "sandbox"), [(KEY, True), (TEST_KEY, False)])
    def test_rejects_a_key_of_the_other_kind(self, key, sandbox):
        with pytest.raises(KaiVoxError, match=f"sandbox={sandbox}"):
            KaiVox(key, sandbox=sandbox)


class TestKeyIsSecret:
    """The key is in no representation, error, log or pickle."""

    def test_in_representations(self, kaivox, server):
        server.add(APPOINTMENT)
        kaivox.appointments.get(4812)
        request = server.requests[0]
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        for item in (
            kaivox,
            kaivox.appointments,
            request,
            request.headers,
            kaivox._transport.options,
        ):
            assert KEY not in repr(item)
            assert KEY not in str(item)

    def test_in_errors_and_logs(self, kaivox, server, caplog):
        caplog.set_level(logging.DEBUG)
        server.add_error(401, "invalid_api_key")
        server.add_raw(httpx.ReadError("reset"))
        for make in (
            lambda: kaivox.customers.get(1),
            lambda: kaivox.with_options(max_retries=0).customers.get(1),
        ):
            with pytest.raises(KaiVoxError) as caught:
                make()
            assert KEY not in "".join(traceback.format_exception(caught.value))
            assert KEY not in repr(vars(caught.value))
        assert KEY not in caplog.text

    def test_in_pickles(self, kaivox):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(kaivox._transport.options)

    def test_secrets_of_endpoints_are_masked(self):
        endpoint = EndpointWithSecret({"id": 1, "secret": "whsec_abc"})
        assert endpoint.secret == "whsec_abc"
        assert repr(endpoint) == "EndpointWithSecret(id=1, secret='********')"


class TestModels:
    def test_convert_fields_when_they_are_read(self, kaivox, server):
        server.add(APPOINTMENT, ETag='"v1"')
        found = kaivox.appointments.get(4812)
        assert found.start_time == datetime(2026, 3, 2, 4, 30, tzinfo=timezone.utc)
        assert found.appointment_date == date(2026, 3, 2)
        assert found.price == Decimal("1200.00")
        assert found.call_id is None
        assert found.to_dict()["a_field_of_tomorrow"] == 1
        assert found.response is not None
        assert found.response.etag == '"v1"'

    def test_compare_copy_and_pickle(self):
        one = Appointment(APPOINTMENT)
        assert one == Appointment(dict(APPOINTMENT)) == copy.deepcopy(one)
        assert pickle.loads(pickle.dumps(one)) == one
        assert len({one, Appointment(dict(APPOINTMENT))}) == 1
        assert one != Appointment({**APPOINTMENT, "id": 1})


class TestArguments:
    def test_left_out_and_null_differ(self, kaivox, server):
        server.add(APPOINTMENT)
        kaivox.appointments.update(4812, notes=None, status="cancelled")
        assert server.sent() == {"notes": None, "status": "cancelled"}

    def test_times_and_dates_are_written_with_their_zone(self, kaivox, server):
        server.add(APPOINTMENT, 201)
        zone = timezone(timedelta(hours=5, minutes=30))
        start = datetime(2026, 3, 2, 10, 0, tzinfo=zone)
        kaivox.appointments.create(customer_id=391, service_id=12, start_time=start)
        assert server.sent()["start_time"] == "2026-03-02T10:00:00+05:30"
        with pytest.raises(ValueError, match="no time zone"):
            kaivox.appointments.create(customer_id=1, service_id=1, start_time=datetime(2026, 3, 2))  # noqa: DTZ001

    def test_several_values_and_booleans_in_the_query(self, kaivox, server):
        server.add([], meta={"next_cursor": None})
        kaivox.appointments.list(status=["scheduled", "no_show"], date=date(2026, 3, 2)).page()
        assert server.query() == {"status": "scheduled,no_show", "date": "2026-03-02"}

    def test_ids_cannot_leave_their_segment_of_the_path(self, kaivox, server):
        server.add({"id": "x"})
        kaivox.events.get("../customers/1?x=")
        assert server.requests[0].url.raw_path == b"/api/v1/events/..%2Fcustomers%2F1%3Fx%3D"

    def test_preconditions_are_headers(self, kaivox, server):
        server.add(APPOINTMENT)
        kaivox.appointments.update(4812, notes="x", if_match='"v1"')
        assert server.requests[0].headers["If-Match"] == '"v1"'

    def test_any_other_request(self, kaivox, server):
        server.add_raw(httpx.Response(200, text="id\r\n1\r\n"))
        response = kaivox.request("GET", "/customers", params={"format": "csv"})
        assert response.text == "id\r\n1\r\n"


class TestIdempotency:
    def test_each_post_has_a_key_of_its_own_and_retries_repeat_it(self, kaivox, server):
        server.add_error(503, "service_unavailable", Retry_After="1")
        server.add(APPOINTMENT, 201)
        server.add(APPOINTMENT, 201, Idempotent_Replayed="true")
        kaivox.appointments.create(customer_id=1, service_id=1)
        again = kaivox.appointments.create(customer_id=1, service_id=1)
        keys = [request.headers["Idempotency-Key"] for request in server.requests]
        assert keys[0] == keys[1] != keys[2]
        assert again.response is not None
        assert again.response.is_replay

    def test_own_key(self, kaivox, server):
        server.add(APPOINTMENT, 201)
        kaivox.appointments.create(customer_id=1, service_id=1, idempotency_key="B-1")
        assert server.requests[0].headers["Idempotency-Key"] == "B-1"

    def test_reads_have_none(self, kaivox, server):
        server.add(APPOINTMENT)
        kaivox.appointments.get(1)
        assert "Idempotency-Key" not in server.requests[0].headers


class TestRetries:
    @pytest.mark.parametrize("status", [429, 503])
    def test_wait_as_long_as_the_server_says(self, kaivox, server, status):
        server.add_error(status, "rate_limit_exceeded", Retry_After="7")
        server.add(APPOINTMENT)
        kaivox.appointments.get(1)
        assert server.pauses == [7.0]

    def test_grow_where_the_server_says_nothing(self, kaivox, server):
        for _ in range(3):
            server.add_raw(httpx.Response(502, text="<html>"))
        server.add(APPOINTMENT)
        kaivox.appointments.get(1)
        assert all(
            low <= pause <= 2 * low
            for low, pause in zip((0.25, 0.5, 1.0), server.pauses, strict=True)
        )

    def test_a_wait_of_hours_is_an_error(self, kaivox, server):
        server.add_error(429, "rate_limit_exceeded", Retry_After="40000")
        with pytest.raises(errors.RateLimitExceeded) as caught:
            kaivox.appointments.get(1)
        assert caught.value.retry_after == 40000
        assert server.pauses == []

    def test_end_after_max_retries(self, kaivox, server):
        for _ in range(4):
            server.add_error(503, "service_unavailable", Retry_After="1")
        with pytest.raises(errors.ServiceUnavailable):
            kaivox.appointments.get(1)
        assert len(server.requests) == 4

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (404, "not_found"),
            (409, "slot_unavailable"),
            (422, "too_soon"),
            (501, "not_implemented"),
        ],
    )
    def test_errors_that_would_come_again_are_raised_at_once(self, kaivox, server, status, code):
        server.add_error(status, code)
        with pytest.raises(errors.APIError):
            kaivox.appointments.create(customer_id=1, service_id=1)
        assert len(server.requests) == 1

    def test_a_first_request_that_still_runs_is_awaited(self, kaivox, server):
        server.add_error(409, "idempotency_in_progress", Retry_After="2")
        server.add(APPOINTMENT, 201)
        kaivox.appointments.create(customer_id=1, service_id=1)
        assert server.pauses == [2.0]

    def test_connections_that_break(self, kaivox, server):
        server.add_raw(httpx.ReadError("reset"))
        server.add(APPOINTMENT, 201)
        kaivox.appointments.create(customer_id=1, service_id=1)
        assert len(server.requests) == 2

    def test_a_conditional_write_is_not_repeated_blindly(self, kaivox, server):
        server.add_raw(httpx.ReadTimeout("late"))
        with pytest.raises(errors.APITimeoutError):
            kaivox.appointments.update(1, notes="x", if_match='"v1"')
        # Nothing was sent: that may be repeated.
        server.add_raw(httpx.ConnectError("refused"))
        server.add(APPOINTMENT)
        kaivox.appointments.update(1, notes="x", if_match='"v1"')


class TestErrors:
    @pytest.mark.parametrize("body", ["<html>Log in to the Wi-Fi</html>", "[]", "{}", ""])
    def test_a_success_of_another_server_is_an_error(self, kaivox, server, body):
        for _ in range(2):
            server.add_raw(httpx.Response(200, text=body))
        for read in (lambda: kaivox.customers.get(1), lambda: kaivox.customers.list().page()):
            with pytest.raises(errors.APIConnectionError, match="Check the address"):
                read()

    def test_are_classes_by_code_below_classes_by_status(self, kaivox, server):
        slot = {"start_time": "2026-03-02T05:00:00Z"}
        server.add_error(409, "slot_unavailable", meta={"alternatives": [slot]})
        with pytest.raises(errors.SlotUnavailable) as caught:
            kaivox.appointments.create(customer_id=1, service_id=1)
        error = caught.value
        assert isinstance(error, errors.ConflictError)
        assert (error.status, error.code, error.request_id) == (409, "slot_unavailable", "req_1")
        assert error.alternatives == [slot]

    def test_name_the_fields(self, kaivox, server):
        server.add_error(422, "validation_error", errors={"phone": ["Too short."]})
        with pytest.raises(errors.ValidationError) as caught:
            kaivox.customers.create(name="Asha", phone="1")
        assert str(caught.value) == "422 validation_error: No. [req_1]\n  phone: Too short."
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)

    @pytest.mark.parametrize(
        ("response", "kind"),
        [
            (httpx.Response(409, json={"code": "code_of_tomorrow"}), errors.ConflictError),
            (httpx.Response(418, text="<html>"), errors.BadRequestError),
            (httpx.Response(507, json=["x"]), errors.ServerError),
            (httpx.Response(302, headers={"Location": "https://evil.example"}), errors.APIError),
        ],
    )
    def test_unknown_codes_and_bodies_of_proxies(self, kaivox, server, response, kind):
        server.add_raw(response)
        with pytest.raises(kind):
            kaivox.customers.get(1)
        assert len(server.requests) == 1  # a redirect is not followed: the key stays with its host
