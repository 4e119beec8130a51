"""The help text of `is_active`; nothing changes in the database."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("services", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="service",
            name="is_active",
            field=models.BooleanField(
                default=True, help_text="Off: cannot be booked.", verbose_name="active"
            ),
        ),
    ]
