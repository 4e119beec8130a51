"""App configuration: registers which rows show values of staff, services and the business."""

from django.apps import AppConfig


class StaffConfig(AppConfig):
    name = "staff"

    def ready(self) -> None:
        from kaivox.businesses.denormalized_names import register_dependents
        from services.models import Service
        from staff.models import StaffMember

        rows = StaffMember.objects
        register_dependents("services.Service", lambda service: rows.filter(services=service))
        # Its time zone.
        register_dependents("businesses.Business", lambda business: rows.filter(business=business))
        # The ids of its active staff.
        services = Service.objects
        register_dependents("staff.StaffMember", lambda person: services.filter(staff=person))
