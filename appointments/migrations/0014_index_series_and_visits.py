"""Indexes of the appointments of a series or visit, built while requests are served."""

from django.db import migrations, models

from kaivox.db.migrations import AddIndexOnline


def index(group):
    return models.Index(
        models.F("business"),
        models.F(group),
        models.F("start_time"),
        condition=models.Q((f"{group}__isnull", False)),
        name=f"appointment_{group}",
    )


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL builds them concurrently

    dependencies = [("appointments", "0013_series_and_visits")]

    operations = [
        AddIndexOnline("appointment", index("series")),
        AddIndexOnline("appointment", index("visit")),
    ]
