"""Python client of the KaiVox API: appointments, customers and calls of an AI receptionist.

from kaivox import KaiVox

kaivox = KaiVox(api_key="kv_live_…")
for appointment in kaivox.appointments.list(status="scheduled"):
    print(appointment.start_time, appointment.customer_name)
"""

from kaivox import errors, events, models
from kaivox._client import AsyncKaiVox, KaiVox
from kaivox._errors import APIConnectionError, APIError, KaiVoxError, WebhookVerificationError
from kaivox._model import NOT_GIVEN
from kaivox._pages import Page
from kaivox._version import VERSION as __version__
from kaivox.webhooks import verify_webhook

__all__ = [
    "NOT_GIVEN",
    "APIConnectionError",
    "APIError",
    "AsyncKaiVox",
    "KaiVox",
    "KaiVoxError",
    "Page",
    "WebhookVerificationError",
    "__version__",
    "errors",
    "events",
    "models",
    "verify_webhook",
]
