"""Holds remember the API key that created them: the number of open holds of one key is limited."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("appointments", "0002_drop_redundant_index"),
        ("businesses", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="hold",
            name="created_by_key",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="businesses.apikey",
            ),
        ),
    ]
