"""What `manage.py check --deploy` says about webhooks."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


@register(Tags.security, deploy=True)
def private_receivers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Receivers on private addresses are for development."""
    if not settings.WEBHOOK_ALLOW_PRIVATE:
        return []
    return [
        Warning(
            "WEBHOOK_ALLOW_PRIVATE is on: whoever may add a webhook can make this server send "
            "requests into your own network.",
            hint="Set WEBHOOK_ALLOW_PRIVATE=0.",
            id="webhooks.W001",
        )
    ]
