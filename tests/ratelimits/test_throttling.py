"""What a caller sees of its quota."""

from __future__ import annotations

import pytest

from tests.factories import make_business, make_key

URL = "/api/v1/"


@pytest.fixture
def starter(db):
    return make_business(plan="starter")


@pytest.fixture
def call(starter, client_of):
    return client_of(make_key(starter)).get


class TestQuotaOfThePlan:
    def test_admits_thirty_a_minute_of_starter(self, call):
        answers = [call(URL) for _ in range(32)]

        assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 2
        assert [answer["X-RateLimit-Remaining"] for answer in answers[:30]] == [
            str(left) for left in range(29, -1, -1)
        ]
