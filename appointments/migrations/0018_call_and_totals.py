"""Finds the appointments of a call, and counts those of a list, in an index alone."""

from django.db import migrations, models

from kaivox.db.migrations import AddIndexOnline, RemoveIndexOnline


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY runs outside of a transaction

    dependencies = [("appointments", "0017_sentence_case_labels")]

    operations = [
        AddIndexOnline(
            "appointment",
            models.Index(
                models.F("business"),
                models.F("call_id"),
                condition=models.Q(("call_id__isnull", False)),
                name="appointment_call",
            ),
        ),
        AddIndexOnline(
            "appointment",
            models.Index(
                models.F("business"),
                models.F("start_time"),
                models.F("id"),
                include=["status", "service", "staff"],
                name="appointment_listed",
            ),
        ),
        RemoveIndexOnline("appointment", "appointment_start"),
    ]
