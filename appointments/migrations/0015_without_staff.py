"""Appointments and holds without a member of staff: of services that need none."""

import django.db.models.deletion
from django.db import migrations, models

from kaivox.db.migrations import DropNotNull


def nullable(model, related_name, **values):
    field = models.ForeignKey(
        **{
            "null": True,
            "on_delete": django.db.models.deletion.PROTECT,
            "related_name": related_name,
            "to": "staff.staffmember",
            **values,
        }
    )
    return DropNotNull(model_name=model, name="staff", field=field)


class Migration(migrations.Migration):
    dependencies = [
        ("appointments", "0014_index_series_and_visits"),
        ("services", "0009_needs_staff"),
    ]

    operations = [
        nullable("appointment", "appointments", blank=True),
        nullable("resourcebooking", "+", db_index=False),
        nullable("hold", "+", on_delete=django.db.models.deletion.CASCADE),
    ]
