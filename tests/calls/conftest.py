from __future__ import annotations

import pytest
import time_machine

from calls.models import ProviderAccount
from tests.calls.provider_client import NOW, SECRETS


@pytest.fixture
def accounts(business):
    with time_machine.travel(NOW, tick=False):
        for provider, secret in SECRETS.items():
            ProviderAccount.objects.create(business=business, provider=provider, secret=secret)
        yield
