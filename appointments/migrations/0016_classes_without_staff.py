"""The constraint of resources sees shared bookings without staff: for it, null equals null.

It is built again, with its index: writes of bookings with a resource wait until this transaction ends.
What is stored satisfies it, as no booking is without staff yet.
"""

from django.db import migrations

import appointments.no_overlap


class Migration(migrations.Migration):
    dependencies = [
        ("appointments", "0015_without_staff"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="resourcebooking", name="resource_no_overlap"),
        migrations.AddConstraint(
            model_name="resourcebooking",
            constraint=appointments.no_overlap.NoOverlap(
                end="busy_end",
                excluded_statuses=("cancelled",),
                key="resource",
                name="resource_no_overlap",
                shared_by=("service", "staff", "start_time"),
                shared_if="is_shared",
                start="busy_start",
                violation_error_code="slot_unavailable",
                violation_error_message="This resource is booked at that time.",
            ),
        ),
    ]
