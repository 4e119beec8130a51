from django.apps import AppConfig
from django.db.models.signals import post_migrate

from kaivox.db.change_counters import create_triggers


class BusinessesConfig(AppConfig):
    name = "kaivox.businesses"

    def ready(self) -> None:
        post_migrate.connect(create_triggers, sender=self)
