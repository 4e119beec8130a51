from django.apps import AppConfig


class Unguarded(AppConfig):
    name = "tests.drills"
    label = "unguarded"

    def ready(self) -> None:
        from tests.drills.unguarded import take_the_guards_away

        take_the_guards_away()
