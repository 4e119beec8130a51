"""Plain builders: `make_business(timezone="Europe/London")`. Each makes what it needs itself."""

from __future__ import annotations

from itertools import count
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from customers.models import Customer
from kaivox.businesses import keys
from kaivox.businesses.models import ApiKey, Business, Membership
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Endpoint, Event
from webhooks.operations import record_event
from webhooks.signing import new_secret

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
            "prefix": key[: keys.PREFIX_LENGTH],
            "last_four": key[-4:],
            "digest": keys.digest_of(key),
            **values,
        }
    )
    return key


def make_user(business: Business | None = None, *, role: str = "owner", **values: Any) -> User:
    """A person of the admin, member of `business` with `role`."""
    user = User.objects.create(**{"username": f"user-{next(_numbers)}", "is_staff": True, **values})
    if business is not None:
        Membership.objects.create(business=business, user=user, role=role)
    return user


def make_customer(business: Business | None = None, **values: Any) -> Customer:
    number = next(_numbers)
    return Customer.objects.create(
        **{
            "business": business or make_business(),
            "name": f"Customer {number}",
            "phone": f"+9198{number:08d}",
            **values,
        }
    )


def make_endpoint(business: Business, **values: Any) -> Endpoint:
    return Endpoint.objects.create(
        **{
            "business": business,
            "url": "http://127.0.0.1:9/hook",
            "secret": new_secret(),
            **values,
        }
    )


def make_event(business: Business, **values: Any) -> Event:
    """An event and the deliveries that follow from it."""
    return record_event(
        **{
            "business": business,
            "type": "customer.created",
            "data": EVENT_TYPES["customer.created"].example,
            "now": timezone.now(),
            **values,
        }
    )
