"""Places at which long addresses and identifiers may wrap in HTML."""

from __future__ import annotations

import re
from typing import Final

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

# After the separator of two words; never inside a number such as 127.0.0.1, nor after https://.
_BREAK: Final = re.compile(r"(?<=[\w})][/_.@=?:,&(-])(?=[A-Za-z{<])")


def with_breaks(text: str) -> SafeString:
    """`text` as HTML that a browser wraps after its separators, instead of inside a word."""
    return mark_safe("<wbr>".join(escape(part) for part in _BREAK.split(text)))  # noqa: S308 - escaped
