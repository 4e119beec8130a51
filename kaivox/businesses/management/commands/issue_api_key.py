"""`manage.py issue_api_key`: prints the new key, and nothing else, on standard output."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from kaivox.api.values import parse_instant
from kaivox.businesses.auth.scopes import ALL_SCOPES, OVERRIDE_SCOPE
from kaivox.businesses.management.businesses import business_with_slug
from kaivox.businesses.operations import issue_api_key
from kaivox.errors import Invalid, sentences

_ARGUMENTS: Final = {
    "scopes": "--scope",
    "allowed_cidrs": "--allow",
    "expires_at": "--expires",
}


class Command(BaseCommand):
    help = "Issue an API key. Only the key is written to standard output; it is shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--business", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True, help="What the key is for.")
        parser.add_argument(
            "--scope",
            action="append",
            metavar="SCOPE",
            help=f"May be repeated. Default: {', '.join(ALL_SCOPES)}. Only by name: {OVERRIDE_SCOPE}",
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
            "--header-only", action="store_true", help="Reject the key in the URL (?api_key=)."
        )

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        business = business_with_slug(options["business"])
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
        except Invalid as error:
            raise CommandError(sentences(error, _ARGUMENTS)) from error
        self.stdout.write(issued.secret)


def _instant(text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    if days := re.fullmatch(r"(\d{1,5})d", text, re.ASCII):
        return now + timedelta(days=int(days[1]))
    # A date alone is its midnight, and a time without an offset is in UTC.
    for spelled in (text, f"{text}Z", f"{text}T00:00Z"):
        with suppress(ValueError):
            return parse_instant(spelled)
    raise CommandError(f"--expires {text!r}: write 2027-01-31, 2027-01-31T12:00:00Z or 90d.")
