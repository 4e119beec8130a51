from __future__ import annotations

import pytest

from kaivox.db.lookups import AnyOf
from tests.factories import make_business, make_endpoint
from webhooks.models import Endpoint

pytestmark = pytest.mark.django_db


class TestAnyOf:
    def test_finds_the_rows_of_a_list(self, business):
        one, two, _ = (make_endpoint(business) for _ in range(3))
        found = Endpoint.objects.filter(AnyOf("pk", [one.pk, two.pk, 0]))
        assert set(found) == {one, two}

    def test_finds_nothing_in_none(self, business):
        make_endpoint(business)
        assert not Endpoint.objects.filter(AnyOf("pk", [])).exists()

    def test_follows_references(self, business):
        mine = make_endpoint(business)
        make_endpoint(make_business())
        assert list(Endpoint.objects.filter(AnyOf("business", [business.pk]))) == [mine]

    def test_is_one_statement_for_any_number(self):
        def statement(ids):
            return str(Endpoint.objects.filter(AnyOf("pk", ids)).query.sql_with_params()[0])

        assert statement([1]) == statement([1, 2, 3])
