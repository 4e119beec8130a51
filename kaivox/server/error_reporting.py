"""Error reports to Sentry where SENTRY_DSN is set: lines of the log from ERROR on, without secrets and
personal data.

Crashes are logged, so Sentry's logging integration reports them. Its integrations for Django, Redis and
Celery are off: they would cost a third of a list request, and record values and URLs.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from kaivox.api.logging import NO_REQUEST, current_request_id, mask_keys

_EMAIL: Final = re.compile(r"[^\s@\"'<>=(]+@[^\s@\"'<>)]+")
_PHONE: Final = re.compile(r"\+?\d(?:[ ()./-]{0,2}\d){6,}")
# PostgreSQL quotes the values of the row on its second line.
_DETAIL: Final = re.compile(r"\n\s*DETAIL:.*", re.DOTALL)


def start(dsn: str, **options: Any) -> None:
    """`options` are further ones of `sentry_sdk.init`. Raises ImproperlyConfigured where sentry-sdk is
    missing or the DSN cannot be parsed."""
    try:
        import sentry_sdk
        from sentry_sdk.integrations.atexit import AtexitIntegration
        from sentry_sdk.integrations.dedupe import DedupeIntegration
        from sentry_sdk.integrations.excepthook import ExcepthookIntegration
        from sentry_sdk.integrations.logging import LoggingIntegration
    except ImportError as error:
        raise ImproperlyConfigured(
            "SENTRY_DSN is set, but sentry-sdk is not installed: "
            ".venv/bin/python -m pip install -r requirements-telemetry.txt."
        ) from error
    try:
        sentry_sdk.init(
            dsn,
            before_send=scrubbed,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[
                LoggingIntegration(level=None),  # no breadcrumbs: threads would share them
                ExcepthookIntegration(),
                DedupeIntegration(),
                AtexitIntegration(callback=lambda pending, timeout: None),
            ],
            auto_session_tracking=False,
            # They contain keys and personal data under any name.
            include_local_variables=False,
            **options,
        )
    except ValueError as error:
        raise ImproperlyConfigured(f"SENTRY_DSN cannot be parsed: {error}.") from error


def scrubbed(event: Any, hint: Any) -> Any:
    """The event with secrets masked, and without e-mail addresses and phone numbers in its texts; None
    for the line that Django logs after each 5xx, whose cause has been logged before."""
    if event.get("logger") == "django.request" and "exc_info" not in hint:
        return None
    event.pop("extra", None)  # attributes of the log record, the request among them
    if (request_id := current_request_id.get()) != NO_REQUEST:
        event.setdefault("tags", {})["request_id"] = request_id
    found: dict[str, Any] = json.loads(mask_keys(json.dumps(event, default=str)))
    texts = [*found.get("exception", {}).get("values", ())]
    if "logentry" in found:
        found["logentry"].pop("params", None)  # they are in `formatted`
        texts.append(found["logentry"])
    for text in texts:
        for name in ("message", "formatted", "value"):
            if isinstance(text.get(name), str):
                text[name] = without_personal_data(text[name])
    return found


def without_personal_data(text: str) -> str:
    """`text` without e-mail addresses, phone numbers and the values that PostgreSQL quotes."""
    return _PHONE.sub("…", _EMAIL.sub("…", _DETAIL.sub("", text)))
