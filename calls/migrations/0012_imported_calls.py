"""An index for `provider_call_id=` of calls whose provider an import has named."""

from django.db import migrations, models

from kaivox.db.migrations import AddIndexOnline

_PROVIDERS = ["kaivox", "twilio", "vobiz", "vapi", "retell"]


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL builds it concurrently

    dependencies = [("calls", "0011_sentence_case_labels")]

    operations = [
        AddIndexOnline(
            "call",
            models.Index(
                fields=["business", "provider_call_id"],
                name="call_imported",
                condition=models.Q(("provider__in", _PROVIDERS), _negated=True),
            ),
        ),
    ]
