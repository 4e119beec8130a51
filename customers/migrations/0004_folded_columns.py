"""Columns for search and e-mail without case (`kaivox.db.folded_text`), and the last scheduled start."""

from django.db import migrations, models

import kaivox.db.folded_text


class Migration(migrations.Migration):
    dependencies = [("customers", "0003_one_spelling_of_argentine_numbers")]

    operations = [
        migrations.AlterField(
            model_name="customer",
            name="segment_by_hand",
            field=models.BooleanField(
                default=False,
                help_text="Set by a person: stays until the customer books again.",
            ),
        ),
        migrations.AddField(
            model_name="customer",
            name="email_folded",
            field=kaivox.db.folded_text.FoldedTextField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                fold=kaivox.db.folded_text.fold_case,
                of=("email",),
            ),
        ),
        migrations.AddField(
            model_name="customer",
            name="search_text",
            field=kaivox.db.folded_text.FoldedTextField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                fold=kaivox.db.folded_text.fold_for_search,
                of=("name", "phone", "email"),
            ),
        ),
        migrations.AddField(
            model_name="customer",
            name="last_scheduled_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="Start of the last scheduled one.",
                null=True,
            ),
        ),
    ]
