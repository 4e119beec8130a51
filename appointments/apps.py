"""App configuration: registers which appointments show values of other rows, and an action of staff."""

from django.apps import AppConfig
from django.db.models import Q


class AppointmentsConfig(AppConfig):
    name = "appointments"

    def ready(self) -> None:
        from appointments.models import Appointment
        from appointments.staff_out.admin import STAFF_OUT
        from appointments.waitlist.models import WaitlistEntry
        from kaivox.admin.object_actions import extra_actions
        from kaivox.businesses.denormalized_names import register_dependents

        extra_actions.register(STAFF_OUT, key="staff.StaffMember")
        rows = Appointment.objects
        register_dependents("customers.Customer", lambda customer: rows.filter(customer=customer))
        register_dependents("staff.StaffMember", lambda person: rows.filter(staff=person))
        register_dependents("services.Service", lambda service: rows.filter(service=service))
        waiting = WaitlistEntry.objects
        register_dependents(
            "customers.Customer", lambda customer: waiting.filter(customer=customer)
        )
        register_dependents("services.Service", lambda service: waiting.filter(service=service))
        register_dependents(
            "staff.StaffMember",
            lambda person: waiting.filter(Q(staff=person) | Q(offered_staff=person)),
        )
        # Its time zone and currency.
        register_dependents("businesses.Business", lambda business: rows.filter(business=business))
