from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "webhooks"

    def ready(self) -> None:
        from webhooks import checks, hints, tasks  # noqa: F401 - checks register themselves

        hints.publish_with(tasks.publish_hint)
