from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    name = "appointments"

    def ready(self) -> None:
        from appointments.models import Appointment
        from kaivox.businesses.names import shows_name_of

        rows = Appointment.objects
        shows_name_of("customers.Customer", lambda customer: rows.filter(customer=customer))
        shows_name_of("staff.StaffMember", lambda person: rows.filter(staff=person))
        shows_name_of("services.Service", lambda service: rows.filter(service=service))
