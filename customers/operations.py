"""What can be done with customers. Every road (API, admin, voice, import) comes through here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from customers.models import Customer, PipelineStage, Segment
from customers.phones import to_e164
from customers.segments import VIP_APPOINTMENTS, active_since, segment_of, stage_after
from customers.serializers import CustomerSerializer
from kaivox.api.prepared import Prepared
from kaivox.businesses.models import Business
from kaivox.businesses.names import renamed
from kaivox.businesses.write_lock import atomic_part, atomic_write
from kaivox.errors import Conflict, Invalid, NotFound, PreconditionFailed
from webhooks.operations import record_event

ERASED_NAME: Final = "Erased"

_CHANGEABLE: Final = frozenset(
    {"name", "phone", "email", "segment", "pipeline_stage", "source", "notes", "metadata"}
)

# What follows from a customer's appointments.
_OF_ACTIVITY: Final = (
    "total_appointments",
    "total_spent",
    "last_visit_at",
    "last_booked_at",
    "pipeline_stage",
    "segment",
    "segment_by_hand",
    "updated_at",
)


class CustomerExists(Conflict):
    """The same phone; or the same e-mail where one of the two has no phone."""

    code = "customer_exists"
    message = "There is a customer with this phone number or e-mail address already."


class CustomerErased(Conflict):
    code = "customer_erased"
    message = "This customer was erased and cannot be changed any more."


class NotReachable(Invalid):
    """Neither phone nor e-mail."""

    message = "Give a phone number or an e-mail address."


class InvalidPhone(Invalid):
    """The text is no phone number."""


@atomic_write
def create_customer(
    *,
    business: Business,
    name: str,
    now: datetime,
    phone: str | None = None,
    email: str | None = None,
    segment: str | None = None,
    pipeline_stage: str = PipelineStage.NEW_LEAD,
    source: str = "api",
    notes: str = "",
    metadata: Mapping[str, str] | None = None,
) -> Customer:
    """A new customer, and the event `customer.created`.

    `phone` is read in the business's country. Raises CustomerExists (with `existing_id`),
    InvalidPhone, NotReachable.
    """
    customer = Customer(
        business=business,
        name=name,
        phone=_read_phone(phone, business),
        email=email or "",
        segment=segment or Segment.LEAD,
        segment_by_hand=segment is not None,
        pipeline_stage=pipeline_stage,
        source=source,
        notes=notes,
        metadata=dict(metadata or {}),
    )
    _refuse_duplicate(customer)
    _save(customer, force_insert=True)
    _record("customer.created", customer, now)
    return customer


@atomic_write
def update_customer(
    *,
    business: Business,
    customer_id: int,
    changes: Mapping[str, Any],
    now: datetime,
    expected: datetime | None = None,
) -> Customer:
    """The customer with `changes` (columns of `_CHANGEABLE`), and `customer.updated` where any of
    them differs from what was there.

    Raises NotFound, PreconditionFailed, CustomerErased, CustomerExists, InvalidPhone, NotReachable.
    """
    customer = _lock(Customer.objects.for_business(business), customer_id)
    if expected is not None and customer.updated_at != expected:
        raise PreconditionFailed
    if customer.is_erased:
        raise CustomerErased
    changed = _apply(customer, changes)
    if not changed:
        return customer
    if changed & {"phone", "email"}:
        _refuse_duplicate(customer)
    _save(customer)
    if "name" in changed:
        renamed(customer)
    _record("customer.updated", customer, now)
    return customer


def find_or_create_by_phone(
    *, business: Business, phone: str, source: str, now: datetime, name: str = ""
) -> tuple[Customer, bool]:
    """The customer with this number, and whether it is a new one (named after its number where
    nobody knows better). Two callers at once get one row. Raises InvalidPhone."""
    number = _read_phone(phone, business)
    known = _WITH_PHONE.first(business_id=business.pk, number=number)
    if known is not None:
        return known, False
    try:
        customer = create_customer(
            business=business, name=name or f"Caller {number}", phone=number, source=source, now=now
        )
    except CustomerExists:
        return _WITH_PHONE.first(business_id=business.pk, number=number), False
    return customer, True


@dataclass(frozen=True, slots=True)
class Activity:
    """Figures about the appointments of one customer, as their row keeps them."""

    total_appointments: int
    total_spent: Decimal
    last_visit_at: datetime | None
    last_booked_at: datetime | None


@atomic_part
def record_activity(
    *,
    customer_id: int,
    count: Callable[[], Activity],
    booked: bool,
    completed: bool,
    now: datetime,
) -> Customer:
    """The customer with new figures about appointments, and what follows from them.

    `appointments` calls it in the transaction of each change, holding the lock of the staff member;
    that of the customer comes after. `count` is called under it: who counts second sees what the
    first has done. `booked` and `completed` say what happened just now. Raises NotFound.
    """
    customer: Customer | None = _LOCKED.first(customer_id=customer_id)
    if customer is None:
        raise NotFound
    activity = count()
    customer.total_appointments = activity.total_appointments
    customer.total_spent = activity.total_spent
    customer.last_visit_at = activity.last_visit_at
    customer.last_booked_at = activity.last_booked_at
    customer.pipeline_stage = stage_after(
        customer.pipeline_stage, booked=booked, completed=completed
    )
    if booked:
        customer.segment_by_hand = False
    if not customer.segment_by_hand:
        customer.segment = segment_of(
            total_appointments=activity.total_appointments,
            last_booked_at=activity.last_booked_at,
            last_visit_at=activity.last_visit_at,
            now=now,
        )
    customer.save(update_fields=_OF_ACTIVITY)
    return customer


@atomic_write
def refresh_segments(*, now: datetime) -> int:
    """Moves each customer to the segment that the passing of time has put them in; how many moved.

    The rules of `customers.segments`, as four updates over all businesses.
    """
    automatic = Customer.objects.filter(segment_by_hand=False)
    vip = Q(total_appointments__gte=VIP_APPOINTMENTS)
    since = active_since(now)
    recent = Q(last_booked_at__gte=since) | Q(last_visit_at__gte=since)
    never = Q(last_booked_at__isnull=True, last_visit_at__isnull=True)
    belongs = {
        Segment.VIP: vip,
        Segment.ACTIVE: ~vip & recent,
        # Not `~recent`: in SQL the negation of an unknown is unknown.
        Segment.INACTIVE: ~vip
        & ~never
        & (Q(last_booked_at__lt=since) | Q(last_booked_at__isnull=True))
        & (Q(last_visit_at__lt=since) | Q(last_visit_at__isnull=True)),
        Segment.LEAD: ~vip & never,
    }
    return sum(
        automatic.filter(rule).exclude(segment=segment).update(segment=segment)
        for segment, rule in belongs.items()
    )


@atomic_write
def erase_customer(*, business: Business, customer_id: int, now: datetime) -> Customer:
    """The customer without anything that tells who it was; the figures stay. No event: its body
    would tell receivers about the person again.

    What other apps hold about the person is theirs to erase: see `calls.privacy`. Raises NotFound.
    """
    customer = _lock(Customer.objects.for_business(business), customer_id)
    customer.name = ERASED_NAME
    customer.phone = customer.email = customer.notes = ""
    customer.metadata = {}
    customer.erased_at = customer.erased_at or now
    customer.save()
    renamed(customer)
    return customer


# --- Parts ---------------------------------------------------------------------------------------


def _lock(customers: Any, customer_id: int) -> Customer:
    """Locks the customer: two changes of one person queue here. Raises NotFound."""
    locked = customers.select_for_update(no_key=True, of=("self",)).filter(pk=customer_id)
    customer: Customer | None = locked.select_related("business").first()
    if customer is None:
        raise NotFound
    return customer


def _locked(customer_id: int) -> QuerySet[Any]:
    return Customer.objects.filter(pk=customer_id).select_for_update(no_key=True, of=("self",))


_LOCKED: Final = Prepared(_locked)


def _with_phone(business_id: int, number: str) -> QuerySet[Any]:
    return Customer.objects.for_business(business_id).with_phone(number)


_WITH_PHONE: Final = Prepared(_with_phone)


def _apply(customer: Customer, changes: Mapping[str, Any]) -> set[str]:
    """Sets what `changes` says; the names of those that differ from before."""
    wanted = dict(changes)
    if unknown := wanted.keys() - _CHANGEABLE:
        raise TypeError(f"Not for update_customer: {', '.join(sorted(unknown))}.")
    if "phone" in wanted:
        wanted["phone"] = _read_phone(wanted["phone"], customer.business)
    if "email" in wanted:
        wanted["email"] = wanted["email"] or ""
    changed = {name for name, value in wanted.items() if getattr(customer, name) != value}
    for name in changed:
        setattr(customer, name, wanted[name])
    # Confirming the segment that the rules chose is a decision by hand, too.
    if "segment" in wanted and not customer.segment_by_hand:
        customer.segment_by_hand = True
        changed.add("segment")
    return changed


def _read_phone(text: str | None, business: Business) -> str:
    if not text:
        return ""
    try:
        return to_e164(text, country=business.country)
    except ValueError as error:
        raise InvalidPhone(str(error), errors={"phone": [str(error)]}) from error


def _refuse_duplicate(customer: Customer) -> None:
    """Raises CustomerExists, or NotReachable where there is nothing to tell customers apart by."""
    if not customer.phone and not customer.email:
        message = NotReachable.message
        raise NotReachable(errors={"phone": [message], "email": [message]})
    twin = _twin_of(customer)
    if twin is not None:
        raise CustomerExists(meta={"existing_id": twin[0]}, errors=_blame(customer, twin[1]))


def _twin_of(customer: Customer) -> tuple[int, str] | None:
    """Id and phone of another row of the same person: the same phone; or the same e-mail, unless
    both have phones, as families share an e-mail address."""
    same = Customer.objects.none()
    if customer.phone:
        same |= Customer.objects.with_phone(customer.phone)
    if customer.email:
        by_email = Customer.objects.with_email(customer.email)
        same |= by_email.filter(phone="") if customer.phone else by_email
    others = same.for_business(customer.business_id).exclude(pk=customer.pk)
    return others.order_by("pk").values_list("pk", "phone").first()


def _blame(customer: Customer, phone_of_twin: str) -> dict[str, list[str]]:
    if customer.phone and customer.phone == phone_of_twin:
        return {"phone": ["There is a customer with this phone number already."]}
    return {"email": ["There is a customer with this e-mail address already."]}


def _save(customer: Customer, *, force_insert: bool = False) -> None:
    """Saves; the database has the last word on duplicates. Raises CustomerExists."""
    try:
        # A savepoint: after the constraint has spoken we still ask who was first.
        with transaction.atomic():
            customer.save(force_insert=force_insert)
    except IntegrityError as error:
        if not _is_duplicate(error):
            raise
        if force_insert:
            customer.pk = None
        _refuse_duplicate(customer)
        raise CustomerExists from error


def _is_duplicate(error: IntegrityError) -> bool:
    # SQLite names the index of an expression, and of plain columns only the columns.
    text = str(error)
    names = ("customer_phone_once", "customer_email_once", "customers_customer.phone")
    return any(name in text for name in names)


def _record(type: str, customer: Customer, now: datetime) -> None:
    record_event(
        business=customer.business, type=type, data=CustomerSerializer.render(customer), now=now
    )
