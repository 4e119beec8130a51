"""manage.py erase_customer --business SLUG ID: erases one person's data; counts stay."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from calls.management.commands import _customer_arguments
from calls.privacy import erase_customer


class Command(BaseCommand):
    help = (
        "Erases name, phone, e-mail and transcripts of one customer everywhere. Cannot be undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        _customer_arguments.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        business = _customer_arguments.find_business(options)
        customer_id = options["customer_id"]
        erase_customer(business=business, customer_id=customer_id, now=timezone.now())
        self.stdout.write(f"Customer {customer_id} of {business.name} is erased.")
