from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "calls"

    def ready(self) -> None:
        from appointments.links import register_call_link
        from calls import search  # noqa: F401 - registers the look-up `mention`
        from calls.operations import AppointmentLink

        register_call_link(AppointmentLink())
