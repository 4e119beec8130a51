from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "calls"

    def ready(self) -> None:
        from appointments.call_links import call_log
        from calls import search  # noqa: F401 - registers the look-up `mention`
        from calls.admin_customers import CUSTOMER_ACTIONS
        from calls.links import AppointmentLink
        from calls.masking import mask
        from calls.models import Call
        from kaivox.admin.object_actions import extra_actions
        from kaivox.businesses.denormalized_names import register_dependents
        from kaivox.request_log.masking import text_maskers

        for action in CUSTOMER_ACTIONS:
            extra_actions.register(action, key="customers.Customer")
        text_maskers.register(mask)
        call_log.register(AppointmentLink())
        register_dependents(
            "customers.Customer", lambda person: Call.objects.filter(customer=person)
        )
