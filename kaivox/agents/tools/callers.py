"""Customers by the phone number of a caller; created when they book or leave a message."""

from __future__ import annotations

from typing import Final, NamedTuple

from customers.models import Customer
from customers.operations import find_or_create_by_phone, update_customer
from kaivox.agents.arguments import Arguments
from kaivox.agents.context import ToolContext
from kaivox.agents.results import ToolError
from kaivox.agents.speech import say
from kaivox.agents.tools.lookup import find_phone

SOURCE: Final = "voice"
_LONGEST_NAME: Final = 200


class Caller(NamedTuple):
    """A customer on the phone. `is_named_now`: until now only their number was known, and the name
    on the instance has still to be stored (`store_name`)."""

    customer: Customer
    is_named_now: bool


def known_customer(context: ToolContext, phone: str) -> Customer | None:
    """The customer with this number, unless they are unnamed: a call creates a customer of its
    caller before they have said their name."""
    customers = Customer.objects.for_business(context.business)
    customer: Customer | None = customers.with_phone(phone).first()
    return None if customer is None or _is_unnamed(customer) else customer


def find_caller(context: ToolContext, arguments: Arguments, *, needs_name: bool = True) -> Caller:
    """The customer with this phone number, created if it is new.

    Raises ToolError, without a name where one is needed.
    """
    phone = find_phone(context, arguments)
    known = known_customer(context, phone)
    if known is not None:
        return Caller(known, is_named_now=False)
    name = arguments.text("name", limit=_LONGEST_NAME)
    if not name and needs_name:
        sentence = say(context.language, "ask_name")
        raise ToolError("missing_argument", sentence, argument="name")
    customer, is_new = find_or_create_by_phone(
        business=context.business, phone=phone, name=name, source=SOURCE, now=context.now
    )
    if is_new or not name or not _is_unnamed(customer):
        return Caller(customer, is_named_now=False)
    # Not stored yet: a booking locks its staff member first and its customer second, and one of the
    # same person at the same moment would deadlock with the opposite order.
    customer.name = name
    return Caller(customer, is_named_now=True)


def store_name(context: ToolContext, caller: Caller) -> None:
    """Stores the name of a caller who was known by number alone. Call it last: it locks them."""
    if caller.is_named_now:
        update_customer(
            business=context.business,
            customer_id=caller.customer.pk,
            changes={"name": caller.customer.name},
            now=context.now,
        )


def _is_unnamed(customer: Customer) -> bool:
    return customer.name == f"Caller {customer.phone}"
