"""manage.py export_customer --business SLUG ID: everything stored about one person, as JSON."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from calls.management.commands import _customer_arguments
from calls.privacy import export_customer


class Command(BaseCommand):
    help = "Prints everything stored about one customer as JSON on standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        _customer_arguments.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        business = _customer_arguments.find_business(options)
        found = export_customer(
            business=business, customer_id=options["customer_id"], now=timezone.now()
        )
        self.stdout.write(json.dumps(found, ensure_ascii=False, indent=2))
