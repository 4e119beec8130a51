from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "calls"

    def ready(self) -> None:
        from appointments.links import register_call_link
        from calls import search  # noqa: F401 - registers the look-up `mention`
        from calls.models import Call
        from calls.operations import AppointmentLink
        from kaivox.businesses.names import shows_name_of

        register_call_link(AppointmentLink())
        shows_name_of("customers.Customer", lambda person: Call.objects.filter(customer=person))
