"""Finds the appointments of a call without reading the whole table."""

from django.db import migrations, models

from kaivox.db.migrations import AddIndexOnline


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
    ]
