from django.apps import AppConfig


class IdempotencyConfig(AppConfig):
    name = "kaivox.idempotency"

    def ready(self) -> None:
        from kaivox.api.viewsets import post_wrapper
        from kaivox.idempotency.decorator import idempotent

        post_wrapper.register(idempotent)
