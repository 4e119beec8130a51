"""Keyset ordering of lists, and the cursors that continue them.

A cursor names the last row of a page by value and id, not by count: rows that appear, vanish or move
between two pages never make another row be skipped or repeated.

It is encrypted, because it holds the value by which a list is ordered, such as a customer's name, and
travels in URLs, which end up in logs. AES-SIV (RFC 5297) is deterministic: the same position gives the
same token, so the ETag of a page stays the same while the page does.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import F, Field, Func, Model, Q, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan
from rest_framework.serializers import ValidationError

from kaivox.api.parsers import has_unstorable
from kaivox.api.values import MAX_ID

_PURPOSE: Final = b"kaivox cursors, 1"
_UNREADABLE_CURSOR: Final = "This is no cursor of this API. Send meta.next_cursor unchanged, or an empty cursor to begin again."


class RowValue(Func):
    """`(column, id)`: SQL compares the pair at once, and an index on both is a seek."""

    function = ""
    output_field = Field()


@dataclass(frozen=True)
class KeysetOrdering:
    """One column, then the id, both in one direction. Nulls come last."""

    name: str
    descending: bool
    nullable: bool

    @classmethod
    def parse(cls, text: str, model: type[Model]) -> KeysetOrdering:
        name = text.removeprefix("-")
        return cls(name, text.startswith("-"), bool(model._meta.get_field(name).null))

    def __str__(self) -> str:
        return f"-{self.name}" if self.descending else self.name

    def apply(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        # Only on a nullable column: an ordinary index does not serve an explicit NULLS LAST.
        nulls: dict[str, Any] = {"nulls_last": True} if self.nullable else {}
        column = F(self.name).desc(**nulls) if self.descending else F(self.name).asc(**nulls)
        return rows.order_by(column, "-id" if self.descending else "id")

    def after(self, rows: QuerySet[Any], value: Any, row_id: int) -> QuerySet[Any]:
        """The rows that come after (value, row_id) in this order."""
        beyond = "lt" if self.descending else "gt"
        if value is None:
            return rows.filter(**{f"{self.name}__isnull": True, f"id__{beyond}": row_id})
        if self.nullable:
            same_later = Q(**{self.name: value, f"id__{beyond}": row_id})
            later = Q(**{f"{self.name}__{beyond}": value})
            return rows.filter(later | same_later | Q(**{f"{self.name}__isnull": True}))
        field = rows.model._meta.get_field(self.name)
        here = RowValue(Value(value, output_field=field), Value(row_id))
        compare = LessThan if self.descending else GreaterThan
        return rows.filter(compare(RowValue(F(self.name), F("id")), here))


def cursor_of(row: Any, order: KeysetOrdering) -> str:
    """The token for "after `row`", encrypted."""
    value = getattr(row, order.name)
    if isinstance(value, date):  # or a datetime, which is one
        value = value.isoformat()
    return seal(json.dumps([str(order), value, row.pk], separators=(",", ":")))


def position_of(token: str, order: KeysetOrdering, model: type[Model]) -> tuple[Any, int]:
    """The value and id where the previous page ended. Raises ValidationError for a token that was not
    made here, or for another ordering."""
    try:
        text, value, row_id = json.loads(unseal(token))
        value = _column_value(value, model._meta.get_field(order.name))
        if type(row_id) is not int or not 1 <= row_id <= MAX_ID or not isinstance(text, str):
            raise ValueError("That is no id.")
    except Exception as error:
        raise ValidationError({"cursor": [_UNREADABLE_CURSOR]}) from error
    if text != str(order):
        raise ValidationError(
            {
                "cursor": [
                    f"This cursor belongs to ordering={text[:60]}. Send that too, or an empty cursor to begin again."
                ]
            }
        )
    return value, row_id


def _column_value(value: Any, field: Any) -> Any:
    """`value` as the column stores it. Raises where the column cannot hold it."""
    if value is None:
        if not field.null:
            raise ValueError("The column is never null.")
        return None
    if isinstance(value, str) and has_unstorable(value):
        raise ValueError("No column holds this text.")
    value = field.to_python(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("An instant has an offset.")
    for check in field.validators:
        check(value)
    return value


def seal(text: str) -> str:
    """`text` as an encrypted token of URL-safe characters."""
    sealed = _cipher(settings.SECRET_KEY).encrypt(text.encode(), None)
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def unseal(token: str) -> str:
    """The text of `token`. Raises ValueError where it was not made here or was changed."""
    padded = token + "=" * (-len(token) % 4)
    sealed = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
    # base64 has several spellings of the same bytes.
    if base64.urlsafe_b64encode(sealed).decode().rstrip("=") != token:
        raise ValueError("The token was changed.")
    for secret_key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return _cipher(secret_key).decrypt(sealed, None).decode()
        except InvalidTag:
            continue
    raise ValueError("The token was not made with a key of ours.")


@lru_cache(maxsize=8)
def _cipher(secret_key: str) -> AESSIV:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE)
    return AESSIV(derivation.derive(secret_key.encode()))
