"""Plain builders: `make_business(timezone="Europe/London")`. Each makes what it needs itself."""

from __future__ import annotations

from itertools import count
from typing import Any

from kaivox.businesses import keys
from kaivox.businesses.models import ApiKey, Business

_numbers = count(1)


def make_business(**values: Any) -> Business:
    number = next(_numbers)
    return Business.objects.create(
        **{
            "name": f"Business {number}",
            "slug": f"business-{number}",
            "timezone": "Asia/Kolkata",
            "country": "IN",
            "currency": "INR",
            "plan": "enterprise",
            **values,
        }
    )


def make_key(business: Business, **values: Any) -> str:
    """A key of `business`, in the clear."""
    key = keys.make_key(livemode=business.livemode)
    ApiKey.objects.create(
        **{
            "business": business,
            "name": "Test",
            "prefix": key[:12],
            "last_four": key[-4:],
            "digest": keys.digest_of(key),
            **values,
        }
    )
    return key
