from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"

    def ready(self) -> None:
        from webhooks import hints, tasks

        hints.publish_with(tasks.publish_hint)
