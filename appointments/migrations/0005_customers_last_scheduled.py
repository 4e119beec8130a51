"""Sets `last_scheduled_at` of customers with an appointment ahead, which makes them active."""

from django.db import migrations
from django.db.models import Max, OuterRef, Subquery
from django.utils import timezone

_BATCH = 500


def set_last_scheduled(apps, schema_editor):
    Customer = apps.get_model("customers", "Customer")
    Appointment = apps.get_model("appointments", "Appointment")
    ahead = Appointment.objects.filter(status="scheduled", start_time__gte=timezone.now())
    last = ahead.filter(customer=OuterRef("pk")).values("customer").annotate(last=Max("start_time"))
    ids = list(ahead.order_by("customer").values_list("customer", flat=True).distinct())
    for start in range(0, len(ids), _BATCH):
        customers = Customer.objects.filter(pk__in=ids[start : start + _BATCH])
        customers.update(last_scheduled_at=Subquery(last.values("last")))


class Migration(migrations.Migration):
    atomic = False  # batches commit one by one

    dependencies = [
        ("appointments", "0004_no_overlap_message"),
        ("customers", "0005_fill_folded_columns"),
    ]

    operations = [migrations.RunPython(set_last_scheduled, migrations.RunPython.noop)]
