"""App that removes the locking of bookings when it is loaded (tests.drills.unguarded)."""

from django.apps import AppConfig


class Unguarded(AppConfig):
    name = "tests.drills"
    label = "unguarded"

    def ready(self) -> None:
        from tests.drills.unguarded import remove_locking

        remove_locking()
