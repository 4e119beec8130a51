"""manage.py export_customer --business SLUG ID: all that is kept about one person, as JSON."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from calls.management.commands import _person
from calls.privacy import export_customer


class Command(BaseCommand):
    help = "Prints all that is kept about one customer as JSON on standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        _person.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        business = _person.find_business(options)
        found = export_customer(business=business, customer_id=options["customer_id"])
        self.stdout.write(json.dumps(found, ensure_ascii=False, indent=2))
