"""App configuration: registers that services show values of the business."""

from django.apps import AppConfig


class ServicesConfig(AppConfig):
    name = "services"

    def ready(self) -> None:
        from kaivox.businesses.denormalized_names import register_dependents
        from services.models import Service

        # Its currency.
        register_dependents(
            "businesses.Business", lambda business: Service.objects.filter(business=business)
        )
