"""Models of events, one for each type; `WebhookEvent` is any of them."""

from kaivox._generated.events import *  # noqa: F403 - all of them
