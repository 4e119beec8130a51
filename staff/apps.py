from django.apps import AppConfig


class StaffConfig(AppConfig):
    name = "staff"

    def ready(self) -> None:
        from kaivox.businesses.names import shows_name_of
        from staff.models import StaffMember

        rows = StaffMember.objects
        shows_name_of("services.Service", lambda service: rows.filter(services=service))
