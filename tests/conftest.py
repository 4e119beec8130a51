"""Fixtures of the whole suite. Two businesses stand in every test that asks for `other_business`."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from kaivox.businesses.models import ApiKey, Business
from tests import factories


@pytest.fixture
def business(db) -> Business:
    """A business in India, on Enterprise: quotas are far away."""
    return factories.make_business(name="Smile Dental", slug="smile")


@pytest.fixture
def other_business(db) -> Business:
    """Somebody else's."""
    return factories.make_business(name="Stranger", slug="stranger")


@pytest.fixture
def api_key(business) -> str:
    """A key of `business` with all scopes, in the clear."""
    return factories.make_key(business)


@pytest.fixture
def client(api_key) -> APIClient:
    """An HTTP client that carries `api_key`."""
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=api_key)
    return client


@pytest.fixture
def stranger(other_business) -> APIClient:
    """An HTTP client with a key of `other_business`."""
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=factories.make_key(other_business))
    return client
