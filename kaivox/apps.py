"""App configurations of the admin site and of kaivox; `ready` connects the registries."""

from django.apps import AppConfig
from django.contrib.admin import apps


class KaivoxAdminConfig(apps.AdminConfig):
    """Makes our site the default one, so that `admin.register` works as usual."""

    default = False  # INSTALLED_APPS names this class; "kaivox" selects the one below
    default_site = "kaivox.admin.site.KaivoxAdminSite"


class KaivoxConfig(AppConfig):
    name = "kaivox"
    default = True

    def ready(self) -> None:
        from kaivox import checks  # noqa: F401 - checks register themselves

        # Imported here, as `kaivox.businesses` is in a lower layer than `kaivox.admin`.
        from kaivox.admin import audit, businesses, two_factor  # noqa: F401
        from kaivox.admin.history import history_sources
        from kaivox.admin.related_lists import related_lists
        from kaivox.admin.site import index_context, site_views
        from kaivox.api.export.streaming import export_log
        from kaivox.businesses.audit import record_export
        from kaivox.businesses.operations import sandbox_seeders, sandbox_wipers
        from kaivox.demo.seed import seed_sandbox
        from kaivox.demo.wipe import wipe_sandbox
        from kaivox.pages.admin.dashboard import dashboard
        from kaivox.pages.admin.history import EVENT_PREFIXES, events_about
        from kaivox.pages.admin.related_rows import (
            appointments_of_customer,
            calls_of_appointment,
            calls_of_customer,
            deliveries_about,
            series_of_appointment,
            visit_of_appointment,
        )
        from kaivox.pages.admin.week_calendar_views import calendar
        from ratelimits.logins import change_password

        sandbox_seeders.register(seed_sandbox)
        sandbox_wipers.register(wipe_sandbox)
        export_log.register(record_export)
        index_context.register(dashboard)
        site_views.register(calendar, key="calendar")
        site_views.register(change_password, key="password_change")
        for of_customer in (appointments_of_customer, calls_of_customer, deliveries_about):
            related_lists.register(of_customer, key="customers.Customer")
        for of_appointment in (
            series_of_appointment,
            visit_of_appointment,
            calls_of_appointment,
            deliveries_about,
        ):
            related_lists.register(of_appointment, key="appointments.Appointment")
        for label in EVENT_PREFIXES:
            history_sources.register(events_about, key=label)
