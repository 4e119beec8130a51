"""The start for which the reminder of an appointment was recorded."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("appointments", "0009_validate_confirmation"),
    ]

    operations = [
        migrations.AddField(
            model_name="appointment",
            name="reminded_start",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
