"""Party sizes, and classes: appointments of one class may share a member of staff and a start.

The constraint against double bookings is built again, with its index: writes of appointments wait
until this transaction ends. What is stored satisfies it, as nothing is shared yet.
"""

from django.db import migrations, models

import appointments.no_overlap

_ONE = {"db_default": 1, "default": 1}


def _party_size(name):
    return models.CheckConstraint(
        condition=models.Q(("party_size__gte", 1), ("party_size__lte", 500)),
        name=name,
        violation_error_message="A party has 1 to 500 people.",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("appointments", "0010_reminders"),
        ("services", "0007_capacity"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="appointment", name="appointment_no_overlap"),
        migrations.AddField(
            model_name="appointment",
            name="is_shared",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="appointment",
            name="party_size",
            field=models.PositiveSmallIntegerField(**_ONE),
        ),
        migrations.AddField(
            model_name="hold",
            name="party_size",
            field=models.PositiveSmallIntegerField(**_ONE),
        ),
        migrations.AddConstraint(
            model_name="appointment",
            constraint=appointments.no_overlap.NoOverlap(
                name="appointment_no_overlap",
                key="staff",
                start="busy_start",
                end="busy_end",
                excluded_statuses=("cancelled",),
                shared_if="is_shared",
                shared_by=("service", "start_time"),
                violation_error_code="slot_unavailable",
                violation_error_message="This member of staff is booked at that time.",
            ),
        ),
        migrations.AddConstraint("appointment", _party_size("appointment_party_size")),
        migrations.AddConstraint("hold", _party_size("hold_party_size")),
    ]
