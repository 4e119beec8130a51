"""Fills the column for search."""

from django.db import migrations

from kaivox.db.migrations import fill_folded_text


class Migration(migrations.Migration):
    atomic = False  # batches commit one by one

    dependencies = [("services", "0003_search_text")]

    operations = [fill_folded_text("services", "service", "search_text")]
