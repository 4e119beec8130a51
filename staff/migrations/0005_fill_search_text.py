"""Fills the column for search."""

from django.db import migrations

from kaivox.db.migrations import fill_folded_text


class Migration(migrations.Migration):
    atomic = False  # batches commit one by one

    dependencies = [("staff", "0004_search_text")]

    operations = [fill_folded_text("staff", "staffmember", "search_text")]
