"""App configuration of resources."""

from django.apps import AppConfig


class ResourcesConfig(AppConfig):
    name = "appointments.resources"
