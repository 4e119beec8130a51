"""Words that are not ASCII are stored in another form: see `calls.words`."""

from django.db import migrations

from calls.transcripts import words_of

_BATCH = 500


def renew_words(apps, schema_editor):
    Call = apps.get_model("calls", "Call")
    last = 0
    while True:
        rows = list(
            Call.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "words")[:_BATCH]
        )
        if not rows:
            return
        last = rows[-1][0]
        ids = [pk for pk, words in rows if not words.isascii()]
        calls = list(Call.objects.filter(pk__in=ids).only("transcript", "summary", "words"))
        for call in calls:
            call.words = words_of(call.transcript, call.summary)
        Call.objects.bulk_update(calls, ["words"])


class Migration(migrations.Migration):
    dependencies = [("calls", "0005_awaited_link")]

    operations = [migrations.RunPython(renew_words, migrations.RunPython.noop)]
