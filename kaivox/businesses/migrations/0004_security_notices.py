"""E-mails about changes to somebody's security, until they are sent."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("businesses", "0003_keys_with_all_scopes_keep_all"),
    ]

    operations = [
        migrations.CreateModel(
            name="SecurityNotice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("recipient", models.EmailField(max_length=254)),
                ("subject", models.CharField(max_length=300)),
                ("body", models.TextField()),
                ("created_at", models.DateTimeField()),
            ],
        ),
    ]
