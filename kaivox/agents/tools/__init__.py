"""The tools, in the order in which a call uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kaivox.agents.tools.appointments import (
    CANCEL,
    CONFIRM_APPOINTMENT,
    FIND_APPOINTMENTS,
    RESCHEDULE,
)
from kaivox.agents.tools.booking import BOOK, HOLD_TIME
from kaivox.agents.tools.business import BUSINESS_INFO
from kaivox.agents.tools.customers import CUSTOMER_BY_PHONE, TAKE_MESSAGE
from kaivox.agents.tools.definition import Tool
from kaivox.agents.tools.times import FIND_TIMES
from kaivox.agents.tools.waitlist import JOIN_WAITLIST

TOOLS: Final[Mapping[str, Tool]] = {
    tool.name: tool
    for tool in (
        BUSINESS_INFO,
        FIND_TIMES,
        HOLD_TIME,
        BOOK,
        FIND_APPOINTMENTS,
        CONFIRM_APPOINTMENT,
        RESCHEDULE,
        CANCEL,
        JOIN_WAITLIST,
        CUSTOMER_BY_PHONE,
        TAKE_MESSAGE,
    )
}

__all__ = ["TOOLS", "Tool"]
