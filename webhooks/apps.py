"""App configuration of webhooks."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"

    def ready(self) -> None:
        from kaivox.businesses.key_changes import register_key_observer
        from webhooks import checks  # noqa: F401 - checks register themselves
        from webhooks.authorization import EndpointsOfKeys

        register_key_observer(EndpointsOfKeys())
