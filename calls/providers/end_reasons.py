"""How each end reason of a provider counts: `end_reasons.tsv`, one row per value of its enums.

`completed`, `missed` and `failed` are statuses of a call, `in_progress` is no end. `broken`: the
provider could not begin or go on. A caller who was heard had a call (`completed`); otherwise an
inbound call was not answered (`missed`), and an outbound one failed.

A value that is not in the table (a provider may add one at any time) counts by the words in it: one
that names an error is `broken`, one that says that it was not answered is `missed`, any
other is `completed`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from calls.models import CallStatus

BROKEN: Final = "broken"
TABLE: Final = Path(__file__).with_name("end_reasons.tsv")
_ERROR = re.compile(r"error|fault|fail|invalid|not[-_]found|limit|exhausted|unavailable|denied")
_NOT_ANSWERED = re.compile(
    r"no[-_]answer|busy|not[-_]answer|declin|reject|unallocated|unreachable|out[-_]of[-_]reach"
    r"|failed[-_]to[-_]connect|before[-_](?:call[-_])?connect|not[-_]joined|misdialed"
)


@cache
def _rows() -> Mapping[tuple[str, str], str]:
    with TABLE.open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {(row["provider"], row["reason"]): row["end"] for row in rows}


def is_known(provider: str, reason: str) -> bool:
    return (provider, reason) in _rows()


def kind_of(provider: str, reason: str) -> str:
    """The row of `reason`: a status, or `broken`."""
    known = _rows().get((provider, reason))
    if known is not None:
        return known
    text = reason.lower()
    if _NOT_ANSWERED.search(text):
        return CallStatus.MISSED
    return BROKEN if _ERROR.search(text) else CallStatus.COMPLETED


def status_of(provider: str, reason: str, *, heard: bool, inbound: bool) -> CallStatus:
    """The status of a call that ended for `reason`; `heard`: the caller said something."""
    kind = kind_of(provider, reason)
    if kind != BROKEN:
        return CallStatus(kind)
    if heard:
        return CallStatus.COMPLETED
    return CallStatus.MISSED if inbound else CallStatus.FAILED
