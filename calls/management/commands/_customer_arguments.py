"""Arguments of `erase_customer` and `export_customer`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from customers.models import Customer
from kaivox.businesses.management.businesses import business_with_slug
from kaivox.businesses.models import Business


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--business", required=True, metavar="SLUG")
    parser.add_argument("customer_id", type=int, help="Its id in the API.")


def find_business(options: dict[str, Any]) -> Business:
    """Raises CommandError with a sentence where there is none, or no such customer in it."""
    business = business_with_slug(options["business"])
    customers = Customer.objects.for_business(business)
    if not customers.filter(pk=options["customer_id"]).exists():
        raise CommandError(f"{business.name} has no customer {options['customer_id']}.")
    return business
