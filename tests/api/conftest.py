from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kaivox.businesses.models import ApiKey
from tests import factories

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def books(business, client):
    """Eleven rows beside the client's own key; every third without an end, some ends alike."""
    for number in range(11):
        end = None if number % 3 == 0 else T0 + timedelta(days=number // 2)
        factories.make_key(business, name=f"book {number:02}", expires_at=end)
    ApiKey.objects.exclude(name="Test").update(updated_at=T0)
    return list(ApiKey.objects.filter(business=business).order_by("pk"))
