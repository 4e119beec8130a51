"""Kinds of resources that a service requires."""

from django.db import migrations, models

import services.models


class Migration(migrations.Migration):
    dependencies = [
        ("services", "0007_capacity"),
    ]

    operations = [
        migrations.AddField(
            model_name="service",
            name="resource_kinds",
            field=models.JSONField(
                blank=True,
                db_default=models.Value([], models.JSONField()),
                default=list,
                help_text='Kinds of resources of which it reserves one each, like ["chair"].',
                validators=[services.models.check_kinds],
            ),
        ),
    ]
