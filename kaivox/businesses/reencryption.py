"""Re-encryption of every stored secret with the current SECRET_KEY.

Run it after SECRET_KEY was changed and the former key was added to SECRET_KEY_FALLBACKS; afterwards
the former key can be removed. Safe to run while others write: a row that changes meanwhile is skipped,
as its writer uses the current key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db.models import Model, TextField, Value
from django.db.models.functions import Cast

from kaivox.db.encrypted_fields import DecryptionError, EncryptedTextField, is_newest, reencrypt
from kaivox.db.transactions import write_transaction

_BATCH_SIZE: Final = 500


@dataclass(slots=True)
class Counts:
    """Number of secrets of one column by result."""

    changed: int = 0
    current: int = 0
    unreadable: int = 0


def encrypted_columns() -> Iterator[tuple[type[Model], str]]:
    """Every model and field name with an encrypted value."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField):
                yield model, field.name


def reencrypt_column(model: type[Model], name: str) -> Counts:
    """Re-encrypts the values of one column in batches. Values that cannot be decrypted stay."""
    counts = Counts()
    last = 0
    while batch := _tokens(model, name, last):
        last = batch[-1][0]
        with write_transaction():
            for pk, token in batch:
                _reencrypt_one(model, name, pk, token, counts)
    return counts


def _tokens(model: type[Model], name: str, after: int) -> list[tuple[int, str]]:
    # Not the default manager, whose `update` sets `updated_at`: no visible value changes.
    rows: Any = model._base_manager.filter(pk__gt=after, **{f"{name}__isnull": False})
    return list(_with_token(rows, name).order_by("pk").values_list("pk", "token")[:_BATCH_SIZE])


def _with_token(rows: Any, name: str) -> Any:
    return rows.annotate(token=Cast(name, TextField()))


def _reencrypt_one(model: type[Model], name: str, pk: int, token: str, counts: Counts) -> None:
    if is_newest(token):
        counts.current += 1
        return
    try:
        fresh = reencrypt(token)
    except DecryptionError:
        counts.unreadable += 1
        return
    same: Any = _with_token(model._base_manager.filter(pk=pk), name).filter(token=token)
    counts.changed += same.update(**{name: Value(fresh, output_field=TextField())})
