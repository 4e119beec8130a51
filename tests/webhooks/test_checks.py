from __future__ import annotations

import pytest

from webhooks.checks import private_receivers


@pytest.mark.parametrize(("allowed", "warnings"), ((True, ["webhooks.W001"]), (False, [])))
def test_private_receivers_are_told_of_before_a_deployment(settings, allowed, warnings):
    settings.WEBHOOK_ALLOW_PRIVATE = allowed
    assert [warning.id for warning in private_receivers(None)] == warnings
