"""Services that need no staff: their resources alone are booked."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("services", "0008_resource_kinds"),
    ]

    operations = [
        migrations.AddField(
            model_name="service",
            name="needs_staff",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Off: its resources are booked without a member of staff, like a table.",
            ),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("needs_staff", True),
                    models.Q(("resource_kinds", []), _negated=True),
                    _connector="OR",
                ),
                name="service_needs_something",
                violation_error_message=(
                    "A service that needs no staff needs at least one kind of resource."
                ),
            ),
        ),
    ]
