"""State changes of customers, used by every entry point: API, admin, calls and import."""

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
from kaivox.businesses.denormalized_names import touch_dependents
from kaivox.businesses.models import Business
from kaivox.db.batches import update_in_batches
from kaivox.db.compiled_query import CompiledQuery
from kaivox.db.folded_text import fold_case
from kaivox.db.transactions import advisory_lock, atomic_join, atomic_write
from kaivox.errors import Conflict, Invalid, NotFound, PreconditionFailed
from webhooks.operations import record_event

ERASED_NAME: Final = "Erased"

_CHANGEABLE: Final = frozenset(
    {"name", "phone", "email", "segment", "pipeline_stage", "source", "notes", "metadata"}
)

# Columns that follow from a customer's appointments.
_STATS_FIELDS: Final = (
    "total_appointments",
    "total_spent",
    "last_visit_at",
    "last_booked_at",
    "last_scheduled_at",
    "pipeline_stage",
    "segment",
    "segment_by_hand",
    "updated_at",
)


class CustomerExists(Conflict):
    """The same phone; or the same e-mail where one of the two has no phone. `meta.existing_id` is
    the id of the existing customer."""

    code = "customer_exists"
    message = "There is a customer with this phone number or e-mail address already."


class CustomerErased(Conflict):
    """The customer's personal data was erased."""

    code = "customer_erased"
    message = "This customer was erased and cannot be changed any more."


class NotReachable(Invalid):
    """Neither phone nor e-mail."""

    message = "Give a phone number or an e-mail address."


class InvalidPhone(Invalid):
    """The text is not a phone number."""


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
    """Creates a customer and records the event `customer.created`.

    `phone` is parsed in the business's country. Raises CustomerExists, InvalidPhone, NotReachable.
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
    _reject_duplicate(customer)
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
    """Applies `changes` (columns of `_CHANGEABLE`) and records `customer.updated` where any of them
    differs from the stored value.

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
        _reject_duplicate(customer)
    _save(customer)
    if "name" in changed:
        touch_dependents(customer)
    _record("customer.updated", customer, now)
    return customer


def find_or_create_by_phone(
    *, business: Business, phone: str, source: str, now: datetime, name: str = ""
) -> tuple[Customer, bool]:
    """The customer with this number, and whether it was created now; without `name` a new customer
    is named after the number. Concurrent calls get the same row. Raises InvalidPhone."""
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
class BookingStats:
    """Figures about the appointments of one customer, as stored in the customer's row.

    `total_appointments`: not cancelled. `total_spent`, `last_visit_at`: of completed ones.
    `last_booked_at`: when the newest was booked. `last_scheduled_at`: start of the latest that is
    still scheduled.
    """

    total_appointments: int
    total_spent: Decimal
    last_visit_at: datetime | None
    last_booked_at: datetime | None
    last_scheduled_at: datetime | None


@atomic_join
def update_booking_stats(
    *,
    customer_id: int,
    count: Callable[[], BookingStats],
    booked: bool,
    completed: bool,
    now: datetime,
) -> Customer:
    """Stores new booking statistics, and the segment and stage that follow from them.

    `appointments` calls it in the transaction of each change, after locking the staff member and
    then the appointment: the customer is locked last, so the order never deadlocks. `count` runs
    under that lock, so that the second of two concurrent changes counts the first. `booked` and
    `completed` say what has just happened. Raises NotFound.
    """
    customer: Customer | None = _LOCKED.first(customer_id=customer_id)
    if customer is None:
        raise NotFound
    activity = count()
    customer.total_appointments = activity.total_appointments
    customer.total_spent = activity.total_spent
    customer.last_visit_at = activity.last_visit_at
    customer.last_booked_at = activity.last_booked_at
    customer.last_scheduled_at = activity.last_scheduled_at
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
            last_scheduled_at=activity.last_scheduled_at,
            now=now,
        )
    customer.save(update_fields=_STATS_FIELDS)
    return customer


def refresh_segments(*, now: datetime) -> int:
    """Updates segments that changed with time alone; returns how many.

    The rules of `customers.segments`, each as a query over all businesses.
    """
    automatic = Customer.objects.filter(segment_by_hand=False)
    vip = Q(total_appointments__gte=VIP_APPOINTMENTS)
    since = active_since(now)
    recent = Q(last_booked_at__gte=since) | Q(last_visit_at__gte=since)
    ahead = Q(last_scheduled_at__gte=now)
    never = Q(last_booked_at__isnull=True, last_visit_at__isnull=True)
    belongs = {
        Segment.VIP: vip,
        Segment.ACTIVE: ~vip & ~never & (recent | ahead),
        # Not `~(recent | ahead)`: in SQL the negation of NULL is NULL.
        Segment.INACTIVE: ~vip
        & ~never
        & (Q(last_booked_at__lt=since) | Q(last_booked_at__isnull=True))
        & (Q(last_visit_at__lt=since) | Q(last_visit_at__isnull=True))
        & (Q(last_scheduled_at__lt=now) | Q(last_scheduled_at__isnull=True)),
        Segment.LEAD: ~vip & never,
    }
    return sum(
        update_in_batches(automatic.filter(rule).exclude(segment=segment), segment=segment)
        for segment, rule in belongs.items()
    )


@atomic_write
def erase_customer(*, business: Business, customer_id: int, now: datetime) -> Customer:
    """Removes all personal data from the row; the statistics stay. Records `customer.erased`, with
    the id alone, so that receivers can erase their copies; only the first time.

    Personal data in other apps is erased by `calls.privacy`. Raises NotFound.
    """
    customer = _lock(Customer.objects.for_business(business), customer_id)
    customer.name = ERASED_NAME
    customer.phone = customer.email = customer.notes = ""
    customer.metadata = {}
    is_first = customer.erased_at is None
    customer.erased_at = customer.erased_at or now
    customer.save()
    touch_dependents(customer)
    if is_first:
        data = {"id": customer.pk}
        record_event(business=business, type="customer.erased", data=data, now=now)
    return customer


# --- Parts ---------------------------------------------------------------------------------------


def reject_erased(customer: Customer) -> None:
    """Raises CustomerErased, before anything is booked."""
    if customer.is_erased:
        message = "This customer was erased; nothing can be booked for them."
        raise CustomerErased(message, errors={"customer_id": [message]})


def _lock(customers: Any, customer_id: int) -> Customer:
    """Locks the customer until the transaction ends. Raises NotFound."""
    locked = customers.select_for_update(no_key=True, of=("self",)).filter(pk=customer_id)
    customer: Customer | None = locked.select_related("business").first()
    if customer is None:
        raise NotFound
    return customer


def _locked(customer_id: int) -> QuerySet[Any]:
    return Customer.objects.filter(pk=customer_id).select_for_update(no_key=True, of=("self",))


_LOCKED: Final = CompiledQuery(_locked)


def _with_phone(business_id: int, number: str) -> QuerySet[Any]:
    return Customer.objects.for_business(business_id).with_phone(number)


_WITH_PHONE: Final = CompiledQuery(_with_phone)


def _apply(customer: Customer, changes: Mapping[str, Any]) -> set[str]:
    """Sets `changes` on the instance; returns the names of the columns that differ from before."""
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
    # Sending the segment that the rules chose also fixes it: the person has confirmed it.
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


def _reject_duplicate(customer: Customer) -> None:
    """Raises CustomerExists, or NotReachable where there is neither phone nor e-mail."""
    if not customer.phone and not customer.email:
        message = NotReachable.message
        raise NotReachable(errors={"phone": [message], "email": [message]})
    if customer.email:
        # One row per phone is a constraint. An e-mail may be shared by customers with phones, which
        # no constraint can express: of two concurrent writes the second must see the first.
        advisory_lock("customer e-mail", customer.business_id, fold_case(customer.email))
    twin = _existing_match(customer)
    if twin is not None:
        raise CustomerExists(
            meta={"existing_id": twin[0]}, errors=_duplicate_error(customer, twin[1])
        )


def _existing_match(customer: Customer) -> tuple[int, str] | None:
    """Id and phone of another row for the same person: the same phone, or the same e-mail unless
    both rows have phones, because families share an e-mail address."""
    same = Customer.objects.none()
    if customer.phone:
        same |= Customer.objects.with_phone(customer.phone)
    if customer.email:
        by_email = Customer.objects.with_email(customer.email)
        same |= by_email.filter(phone="") if customer.phone else by_email
    others = same.for_business(customer.business_id).exclude(pk=customer.pk)
    return others.order_by("pk").values_list("pk", "phone").first()


def _duplicate_error(customer: Customer, phone_of_twin: str) -> dict[str, list[str]]:
    if customer.phone and customer.phone == phone_of_twin:
        return {"phone": ["There is a customer with this phone number already."]}
    return {"email": ["There is a customer with this e-mail address already."]}


def _save(customer: Customer, *, force_insert: bool = False) -> None:
    """Saves the customer. Translates a violated unique constraint into CustomerExists."""
    try:
        # A savepoint: after the IntegrityError we still query for the existing row.
        with transaction.atomic():
            customer.save(force_insert=force_insert)
    except IntegrityError as error:
        if not _is_duplicate(error):
            raise
        if force_insert:
            customer.pk = None
        _reject_duplicate(customer)
        raise CustomerExists from error


def _is_duplicate(error: IntegrityError) -> bool:
    # SQLite names an index on an expression, but only the columns of an index on plain columns.
    text = str(error)
    names = ("customer_phone_once", "customer_email_once", "customers_customer.phone")
    return any(name in text for name in names)


def _record(type: str, customer: Customer, now: datetime) -> None:
    record_event(
        business=customer.business, type=type, data=CustomerSerializer.render(customer), now=now
    )
