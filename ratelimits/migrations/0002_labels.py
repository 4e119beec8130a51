"""Help texts; no statement runs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ratelimits", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="dailyusage",
            name="warned_at_percent",
            field=models.PositiveSmallIntegerField(
                default=0, editable=False, help_text="80 or 100 once the contact was e-mailed."
            ),
        ),
        migrations.AlterField(
            model_name="quotaoverride",
            name="ends_at",
            field=models.DateTimeField(help_text="From then on the plan's quota applies again."),
        ),
    ]
