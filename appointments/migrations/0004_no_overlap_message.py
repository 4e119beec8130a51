"""The error message of the constraint against double bookings; nothing changes in the database."""

from django.db import migrations

import appointments.no_overlap


class Migration(migrations.Migration):
    dependencies = [
        ("appointments", "0003_holds_remember_their_key"),
    ]

    operations = [
        migrations.AlterConstraint(
            model_name="appointment",
            name="appointment_no_overlap",
            constraint=appointments.no_overlap.NoOverlap(
                end="busy_end",
                excluded_statuses=("cancelled",),
                key="staff",
                name="appointment_no_overlap",
                start="busy_start",
                violation_error_code="slot_unavailable",
                violation_error_message="This member of staff is booked at that time.",
            ),
        ),
    ]
