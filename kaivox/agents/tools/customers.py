"""`customer_by_phone` and `take_message`."""

from __future__ import annotations

from typing import Final

from calls.masking import mask
from customers.models import Customer
from customers.operations import update_customer
from kaivox.agents.arguments import Argument, Arguments
from kaivox.agents.context import ToolContext
from kaivox.agents.results import ToolError, ToolResult
from kaivox.agents.speech import say
from kaivox.agents.tools.callers import find_caller, known_customer, store_name
from kaivox.agents.tools.definition import Tool
from kaivox.agents.tools.lookup import find_phone

_LONGEST_MESSAGE: Final = 2000
# The API's limit for notes: the oldest lines are dropped.
_LONGEST_NOTES: Final = 5000


def customer_by_phone(context: ToolContext, arguments: Arguments) -> ToolResult:
    """The customer with a phone number. Raises ToolError."""
    phone = find_phone(context, arguments)
    customer = known_customer(context, phone)
    if customer is None:
        data = {"customer": None}
        return ToolResult(say(context.language, "customer_unknown"), data=data)
    shown = {
        "id": customer.pk,
        "name": customer.name,
        "phone": customer.phone,
        "segment": customer.segment,
        "total_appointments": customer.total_appointments,
    }
    sentence = say(context.language, "customer", name=customer.name)
    return ToolResult(sentence, data={"customer": shown}, customer_id=customer.pk)


def take_message(context: ToolContext, arguments: Arguments) -> ToolResult:
    """Writes a message into the customer's notes; the call shows it as a tool call.

    Raises ToolError.
    """
    message = arguments.text("message", limit=_LONGEST_MESSAGE)
    if not message:
        sentence = say(context.language, "ask_message")
        raise ToolError("missing_argument", sentence, argument="message")
    if context.business.mask_transcripts:
        message = mask(message)
    caller = find_caller(context, arguments, needs_name=False)
    customer = caller.customer
    # Locks the customer: of two messages at once neither is lost.
    locked = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    local = context.now.astimezone(context.zone)
    line = f"{local:%Y-%m-%d %H:%M} message by phone: {' '.join(message.split())}"
    notes = f"{locked.notes}\n{line}".strip()[-_LONGEST_NOTES:]
    update_customer(
        business=context.business,
        customer_id=customer.pk,
        changes={"notes": notes},
        now=context.now,
    )
    store_name(context, caller)
    return ToolResult(say(context.language, "message_taken"), customer_id=customer.pk)


CUSTOMER_BY_PHONE: Final = Tool(
    name="customer_by_phone",
    title="Find a customer",
    description="Who has this phone number.",
    arguments=[Argument("phone", "Default: caller's")],
    output={"customer": {"type": ["object", "null"]}},
    scopes=["customers:read"],
    read_only=True,
    run=customer_by_phone,
)

TAKE_MESSAGE: Final = Tool(
    name="take_message",
    title="Take a message",
    description="Leave a message for a human, if no other tool helps.",
    arguments=[
        Argument("message", required=True),
        Argument("name"),
        Argument("phone", "Default: caller's"),
    ],
    output={},
    scopes=["customers:write"],
    run=take_message,
)
