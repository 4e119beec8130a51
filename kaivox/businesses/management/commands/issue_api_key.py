"""Issues a key and prints it, alone, on standard output: `KEY=$(python manage.py issue_api_key …)`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from kaivox.businesses.models import Business
from kaivox.businesses.operations import issue_api_key
from kaivox.businesses.scopes import ALL_SCOPES
from kaivox.errors import Invalid


class Command(BaseCommand):
    help = "Issue an API key. The key alone goes to standard output; it is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--business", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True, help="What the key is for.")
        parser.add_argument(
            "--scope",
            action="append",
            metavar="SCOPE",
            help=f"May be repeated; default all: {', '.join(ALL_SCOPES)}",
        )
        parser.add_argument(
            "--expires", metavar="WHEN", help="2027-01-31, 2027-01-31T12:00:00Z, or 90d from now"
        )
        parser.add_argument(
            "--allow",
            action="append",
            default=[],
            metavar="CIDR",
            help="Only from these addresses, such as 203.0.113.0/24; may be repeated.",
        )
        parser.add_argument(
            "--header-only", action="store_true", help="Refuse the key in the URL (?api_key=)."
        )

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        business = Business.objects.filter(slug=options["business"]).first()
        if business is None:
            raise CommandError(f"There is no business {options['business']!r}.")
        try:
            issued = issue_api_key(
                business_id=business.pk,
                name=options["name"],
                scopes=options["scope"] or ALL_SCOPES,
                allowed_cidrs=options["allow"],
                query_allowed=not options["header_only"],
                expires_at=_instant(options["expires"], now),
                now=now,
            )
        except Invalid as refusal:
            said = [sentence for field in refusal.errors.values() for sentence in field]
            raise CommandError(" ".join(said) or refusal.message) from refusal
        self.stdout.write(issued.secret)


def _instant(text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    if days := re.fullmatch(r"(\d{1,5})d", text):
        return now + timedelta(days=int(days[1]))
    try:
        day = parse_date(text)
        instant = (
            datetime(day.year, day.month, day.day, tzinfo=UTC) if day else parse_datetime(text)
        )
    except ValueError:
        instant = None
    if instant is None:
        raise CommandError(f"--expires {text!r}: write 2027-01-31, 2027-01-31T12:00:00Z or 90d.")
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
