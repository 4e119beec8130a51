"""A column for search without case and accents (`kaivox.db.folded_text`)."""

from django.db import migrations

import kaivox.db.folded_text


class Migration(migrations.Migration):
    dependencies = [("services", "0002_help_text")]

    operations = [
        migrations.AddField(
            model_name="service",
            name="search_text",
            field=kaivox.db.folded_text.FoldedTextField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                fold=kaivox.db.folded_text.fold_for_search,
                of=("name", "description"),
            ),
        ),
    ]
