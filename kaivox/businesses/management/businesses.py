"""Look-up of a business in management commands, with one-sentence errors."""

from __future__ import annotations

from typing import Final

from django.core.management.base import CommandError

from kaivox.businesses.models import Business

_MAX_SLUGS: Final = 20


def business_with_slug(slug: str) -> Business:
    """The business with this slug. Raises CommandError, which lists the known slugs."""
    business = Business.objects.filter(slug=slug).first()
    if business is not None:
        return business
    slugs = list(Business.objects.order_by("slug").values_list("slug", flat=True)[: _MAX_SLUGS + 1])
    if not slugs:
        raise CommandError(
            f"There is no business {slug!r}. Create one in the admin, or run seed_demo."
        )
    more = ", …" if len(slugs) > _MAX_SLUGS else ""
    raise CommandError(
        f"There is no business {slug!r}. Known: {', '.join(slugs[:_MAX_SLUGS])}{more}."
    )
