"""Bodies of up to 1 MiB in hostile shapes cost every write route little CPU time, in proportion to
their size.

What is cheap at full size cannot grow dangerously; only what is not is compared with a body of half
the size.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache, partial

import pytest

from kaivox.api.parsers import MAX_BODY, MAX_DEPTH, MAX_ITEMS, MAX_MEMBERS
from ratelimits.throttling import EnterpriseThrottle
from tests import documented
from tests.cpu_cost import CHEAP_SECONDS, check_cost, cpu_seconds
from tests.effort import THOROUGH
from tests.object_graph import make_world, routes
from tests.test_hostile import at, whole_body

# What is measured happens before the database is asked.
pytestmark = [pytest.mark.django_db, pytest.mark.once]

WRITES = [route for route in routes() if route.method not in ("GET", "HEAD")]
READS = [route for route in routes() if route.method == "GET"]
LIMIT_SECONDS = 0.5


def padded(count, size, prefix=""):
    """`count` different names that fill `size` bytes as members of an object."""
    width = max(size // count - len(prefix) - 16, 1)
    return [f"{prefix}{number:07}{'n' * width}" for number in range(count)]


def members(names):
    return "{" + ",".join(f'"{name}":0' for name in names) + "}"


def unknown_fields(size):
    return members(padded(MAX_MEMBERS, size))


def more_members_than_allowed(size):
    return members(padded(size // 16, size))


def last_key_repeated(size):
    names = padded(MAX_MEMBERS - 1, size)
    return members([*names, names[-1]])


def last_of_many_keys_repeated(size):
    names = padded(size // 16, size)
    return members([*names, names[-1]])


def deep_nesting(size):
    depth = size // 8
    return '{"a":' * depth + "0" + "}" * depth


def nested_as_far_as_allowed(size):
    one = "[" * (MAX_DEPTH - 4) + "]" * (MAX_DEPTH - 4)
    row = "[" + ",".join([one] * (size // len(one) // MAX_ITEMS)) + "]"
    return '{"a":[' + ",".join([row] * (MAX_ITEMS - 10)) + "]}"


def huge_array(size):
    return '{"event_types":[' + ",".join(["1"] * (size // 2 - 20)) + "]}"


def array_as_long_as_allowed(size):
    item = '"' + "x" * (size // MAX_ITEMS - 10) + '"'
    return '{"event_types":[' + ",".join([item] * MAX_ITEMS) + "]}"


def arrays_in_arrays(size):
    row = "[" + ",".join(["0"] * (size // MAX_ITEMS // 2 - 4)) + "]"
    return '{"event_types":[' + ",".join([row] * (MAX_ITEMS - 10)) + "]}"


def long_digits(size):
    return '{"customer_id":' + "9" * (size - 40) + "}"


def long_fraction(size):
    return '{"customer_id":0.' + "9" * (size - 40) + "}"


def many_long_numbers(size):
    number = "9" * 4300
    return '{"event_types":[' + ",".join([number] * (size // 4302 - 1)) + "]}"


def long_unknown_name(size):
    return '{"' + "a" * (size - 40) + '":0}'


SHAPES = (
    unknown_fields, more_members_than_allowed, last_key_repeated, last_of_many_keys_repeated, deep_nesting,
    nested_as_far_as_allowed, huge_array, array_as_long_as_allowed, arrays_in_arrays, long_digits, long_fraction,
    many_long_numbers, long_unknown_name,
)  # fmt: skip

# What regular expressions and conversions are slow on, if on anything.
FILLERS = ("9", " ", "a@", "a.", "+", "é")


def share_of(values, number, step):
    """All of `values`, or in a quick run every `step`-th from `number` on: over as many fields or routes,
    which are read by the same code, all occur."""
    return values if THOROUGH else values[number % step :: step]


@pytest.fixture(autouse=True)
def no_quota(monkeypatch):
    monkeypatch.setattr(EnterpriseThrottle, "per_minute", 10**6)
    monkeypatch.setattr(EnterpriseThrottle, "per_day", 10**6)


def seconds_of(send, body):
    """The CPU time of one request; never a server error."""

    def work():
        response = send(body)
        assert response.status_code < 500, response.content[:300]

    return cpu_seconds(work)


@lru_cache(maxsize=2 * len(SHAPES))
def body_of(make, size):
    return make(size).encode()


def check_request(send, make, here):
    whole = body_of(make, MAX_BODY)
    assert MAX_BODY // 3 < len(whole) <= MAX_BODY, f"{here}: {len(whole)} bytes"
    check_cost(
        lambda: seconds_of(send, whole),
        lambda: seconds_of(send, body_of(make, MAX_BODY // 2)),
        here,
        limit=LIMIT_SECONDS,
    )


def sender(client, route, mine):
    url = at(route, mine)
    return lambda body: client.generic(route.method, url, body, "application/json")


@cache
def fields_of(route):
    """Names of the fields that the route's body has, from the OpenAPI document."""
    operation = documented.operations_at(route.path)[route.method.lower()]
    if "requestBody" not in operation:
        return {}
    schema = documented.resolve(operation["requestBody"]["content"]["application/json"]["schema"])
    return schema["properties"]


class TestBody:
    @pytest.mark.parametrize("route", WRITES, ids=str)
    def test_of_a_hostile_shape_is_cheap(self, client, business, route):
        send = sender(client, route, make_world(business))
        for shape in share_of(SHAPES, WRITES.index(route), 6):
            check_request(send, shape, f"{route} {shape.__name__}")

    @pytest.mark.parametrize("route", [r for r in WRITES if fields_of(r)], ids=str)
    def test_with_a_long_string_in_any_field_is_cheap(self, client, business, route):
        mine = make_world(business)
        send, valid = sender(client, route, mine), whole_body(route, mine)
        # A field of several routes gets another filler in each.
        for number, name in enumerate(fields_of(route), WRITES.index(route)):
            for filler in share_of(FILLERS, number, 6):

                def make(size, name=name, filler=filler):
                    repeats = (size - 1000) // (
                        len(json.dumps(filler, ensure_ascii=False).encode()) - 2
                    )
                    return json.dumps({**valid, name: filler * repeats}, ensure_ascii=False)

                check_request(send, make, f"{route} {name} {filler!r}")


class TestVoiceEngine:
    @pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
    def test_a_message_of_a_hostile_shape_is_cheap(self, client, business, settings, shape):
        settings.VOICE_ALLOW_UNSIGNED = True
        url = f"/voice/kaivox/{business.slug}"
        check_request(
            lambda body: client.generic("POST", url, body, "application/json"),
            shape,
            shape.__name__,
        )

    @pytest.mark.parametrize("number", range(4))
    def test_a_message_of_another_provider_is_cheap(self, client, business, settings, number):
        settings.VOICE_ALLOW_UNSIGNED = True
        path = ("vapi/{}", "retell/{}", "vapi/{}/tools", "retell/{}/tools")[number]
        url = "/voice/" + path.format(business.slug)
        for shape in share_of(SHAPES, number, 4):
            check_request(
                lambda body: client.generic("POST", url, body, "application/json"),
                shape,
                f"{path} {shape.__name__}",
            )

    def test_turns_with_many_unknown_fields_are_cheap(self, client, business, settings):
        settings.VOICE_ALLOW_UNSIGNED = True

        def make(size):
            turn = members(padded(100, size // 100))
            return (
                '{"call_id":"c","status":"completed","transcript":[' + ",".join([turn] * 95) + "]}"
            )

        check_request(
            lambda body: client.generic(
                "POST", f"/voice/kaivox/{business.slug}", body, "application/json"
            ),
            make,
            "turns",
        )


class TestForm:
    @pytest.mark.parametrize("path", ("/session/key", "/login", "/admin/login/"))
    @pytest.mark.parametrize("filler", ("x", "kv_live_", "&a=1", "%41", "@."))
    def test_of_a_login_is_cheap(self, client, path, filler):
        def make(size):
            return "key=" + filler * ((size - 1000) // len(filler))

        check_request(
            lambda body: client.generic("POST", path, body, "application/x-www-form-urlencoded"),
            make,
            f"{path} {filler}",
        )


# Servers cut a URL at a few kilobytes; what is quadratic shows at 64.
QUERY_VALUES = ("scheduled,", "x", "9", "9 ", "+", "a@", "WyJ", "2026-01-01T")


class TestQuery:
    @pytest.mark.parametrize("route", READS, ids=str)
    def test_with_a_long_value_of_any_parameter_is_cheap(self, client, business, route):
        url = at(route, make_world(business))
        names = {
            parameter["name"]
            for parameter in map(
                documented.resolve, documented.operations_at(route.path)["get"]["parameters"]
            )
            if parameter["in"] == "query"
        }
        # A parameter of several routes gets another value in each.
        first = READS.index(route)
        for number, name in enumerate(sorted(names | {"nothing", "n" * 1000}), first):
            for value in share_of(QUERY_VALUES, number, 8):
                query = {name: value * (65_536 // len(value))}
                # The first may import something.
                tries = (seconds_of(partial(client.get, url), query) for _ in range(5))
                is_cheap = any(spent <= CHEAP_SECONDS for spent in tries)
                assert is_cheap, f"{route} {name}={value}…: over {CHEAP_SECONDS} s of CPU"
