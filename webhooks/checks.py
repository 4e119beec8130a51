"""System checks of webhooks for `manage.py check --deploy`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


@register(Tags.security, deploy=True)
def private_receivers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warns where private addresses are allowed: that is meant for development."""
    if not settings.WEBHOOK_ALLOW_PRIVATE:
        return []
    return [
        Warning(
            "WEBHOOK_ALLOW_PRIVATE is on: anyone who may add a webhook can make this server "
            "send requests into your own network.",
            hint="Set WEBHOOK_ALLOW_PRIVATE=0.",
            id="webhooks.W001",
        )
    ]
