"""Argentine numbers lose the 9 of mobiles, as `customers.phones` stores them now.

A number that has a row under both spellings stays as it is: those are two customers to be merged
by a person.
"""

from django.db import migrations
from django.db.models import Exists, F, OuterRef, Value
from django.db.models.functions import Concat, Length, Substr


def drop_mobile_prefix(apps, schema_editor):
    Customer = apps.get_model("customers", "Customer")
    shorter = Concat(Value("+54"), Substr(F("phone"), 5))
    mobile = Customer.objects.alias(digits=Length("phone"), shorter=shorter).filter(
        phone__startswith="+549", digits=14
    )
    twin = Customer.objects.filter(
        business=OuterRef("business"), phone=Concat(Value("+54"), Substr(OuterRef("phone"), 5))
    )
    ids = list(mobile.exclude(Exists(twin)).values_list("pk", flat=True))
    Customer.objects.filter(pk__in=ids).update(phone=shorter)


class Migration(migrations.Migration):
    dependencies = [("customers", "0002_postgres_indexes")]

    operations = [migrations.RunPython(drop_mobile_prefix, migrations.RunPython.noop)]
