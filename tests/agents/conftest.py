"""A clinic to call, on a Tuesday morning."""

from __future__ import annotations

import zlib
from types import SimpleNamespace

import pytest
import time_machine

from tests import factories
from tests.agents.caller import Caller
from tests.agents.ways import NOW, WAYS


@pytest.fixture
def clock():
    """The time is fixed unless a test moves it on."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def clinic(clock, business):
    """Four services, three people, open from nine to five every day."""
    services = {
        name: factories.make_service(business, name=name, duration_minutes=minutes)
        for name, minutes in (
            ("Cleaning", 30),
            ("Deep Cleaning", 60),
            ("Root Canal", 60),
            ("Teeth Whitening", 45),
        )
    }
    cleaning, deep, canal, whitening = services.values()
    anil = factories.make_staff(business, name="Dr. Anil Sharma", services=[cleaning, canal])
    priya = factories.make_staff(business, name="Dr. Priya Sharma", services=[cleaning, deep])
    elodie = factories.make_staff(business, name="Élodie Martin", services=[whitening])
    return SimpleNamespace(
        business=business,
        services=services,
        cleaning=cleaning,
        deep=deep,
        canal=canal,
        whitening=whitening,
        anil=anil,
        priya=priya,
        elodie=elodie,
    )


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def way(request):
    """Each way in: the test runs once for each."""
    return request.param


@pytest.fixture
def caller(request, clinic):
    """A caller by one of the ways in, always the same for a test and another for the next.

    What a tool understands and does is the same code for all of them; what differs is how a way carries
    the tool, its arguments, the call and the result, and `each_caller` tests that.
    """
    return Caller(WAYS[zlib.crc32(request.node.name.encode()) % len(WAYS)], clinic)


@pytest.fixture
def each_caller(way, clinic):
    """A caller by each of the ways in."""
    return Caller(way, clinic)
