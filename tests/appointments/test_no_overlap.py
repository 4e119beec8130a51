"""`NoOverlap` on both databases, also after later migrations."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction

from appointments.models import NO_OVERLAP, NO_RESOURCE_OVERLAP, Appointment, ResourceBooking
from appointments.no_overlap import NoOverlap
from tests import factories

HOUR = timedelta(hours=1)


@pytest.fixture
def booked(db) -> Appointment:
    return factories.make_appointment()


def another(booked: Appointment, **values) -> Appointment:
    return factories.make_appointment(
        service=booked.service, staff=booked.staff, customer=booked.customer, **values
    )


def rejected(act, constraint=NO_OVERLAP) -> bool:
    try:
        with transaction.atomic():
            act()
    except IntegrityError as error:
        return constraint.is_broken_by(error)
    return False


class TestNoOverlap:
    @pytest.mark.parametrize("minutes", (-29, -1, 0, 1, 29))
    def test_rejects_an_insert_that_overlaps(self, booked, minutes):
        start = booked.start_time + timedelta(minutes=minutes)
        assert rejected(lambda: another(booked, start_time=start))

    @pytest.mark.parametrize("minutes", (-30, 30))
    def test_accepts_adjacent_ranges(self, booked, minutes):
        another(booked, start_time=booked.start_time + timedelta(minutes=minutes))

    def test_counts_buffers(self, booked):
        booked.service.buffer_before_minutes = 5
        start = booked.end_time
        assert rejected(lambda: another(booked, start_time=start + timedelta(minutes=4)))
        another(booked, start_time=start + timedelta(minutes=5))

    def test_rejects_a_move_onto_another(self, booked):
        later = another(booked, start_time=booked.start_time + HOUR)
        row = Appointment.objects.filter(pk=later.pk)
        moved = {"busy_start": booked.busy_start, "start_time": booked.start_time}
        assert rejected(lambda: row.update(**moved))

    def test_rejects_a_change_of_staff_to_a_busy_person(self, booked):
        other = factories.make_appointment(service=booked.service, start_time=booked.start_time)
        row = Appointment.objects.filter(pk=other.pk)
        assert rejected(lambda: row.update(staff=booked.staff))

    def test_rejects_restoring_a_cancelled_one(self, booked):
        cancelled = another(booked, start_time=booked.start_time, status="cancelled")
        assert rejected(
            lambda: Appointment.objects.filter(pk=cancelled.pk).update(status="scheduled")
        )

    def test_counts_no_shows_and_completed_ones(self, booked):
        for status in ("completed", "no_show"):
            Appointment.objects.filter(pk=booked.pk).update(status=status)
            assert rejected(lambda: another(booked, start_time=booked.start_time))

    def test_accepts_a_change_within_its_own_range(self, booked):
        booked.notes = "x"
        booked.save()
        later = booked.busy_start + timedelta(minutes=10)
        Appointment.objects.filter(pk=booked.pk).update(
            busy_start=later, start_time=later, status="completed"
        )

    def test_recognizes_its_own_violations_only(self, booked):
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            Appointment.objects.filter(pk=booked.pk).update(busy_end=booked.busy_start)
        assert not NO_OVERLAP.is_broken_by(caught.value)


class TestSharing:
    """Rows of one class: the same service, staff and start."""

    @pytest.fixture
    def shared(self, booked):
        Appointment.objects.filter(pk=booked.pk).update(is_shared=True)
        booked.refresh_from_db()
        return booked

    def joined(self, booked, **values):
        return another(booked, **{"start_time": booked.start_time, "is_shared": True, **values})

    def test_accepts_the_same_class_and_rejects_anything_else(self, shared):
        self.joined(shared)
        other = factories.make_service(shared.business)
        own = {"service": shared.service, "staff": shared.staff, "customer": shared.customer}
        for change in (
            {"is_shared": False},
            {"start_time": shared.start_time + timedelta(minutes=10)},
            {"service": other},
        ):
            values = own | {"start_time": shared.start_time, "is_shared": True} | change
            assert rejected(lambda values=values: factories.make_appointment(**values)), change

    def test_rejects_a_row_that_stops_to_share(self, shared):
        twin = Appointment.objects.filter(pk=self.joined(shared).pk)
        for change in (
            {"is_shared": False},
            {"start_time": shared.start_time + timedelta(minutes=1)},
            {"service": factories.make_service(shared.business)},
        ):
            assert rejected(lambda change=change: twin.update(**change)), change

    def test_rejects_a_twin_of_one_that_is_not_shared(self, booked):
        assert rejected(lambda: self.joined(booked))

    def test_is_known_to_forms(self, shared):
        twin = Appointment.objects.get(pk=shared.pk)
        twin.pk = None
        NO_OVERLAP.validate(Appointment, twin)
        twin.is_shared = False
        with pytest.raises(ValidationError, match="booked at that time"):
            NO_OVERLAP.validate(Appointment, twin)


class TestResources:
    def test_are_never_booked_twice(self, booked):
        table = factories.make_resource(booked.business)
        other = factories.make_appointment(booked.business, start_time=booked.start_time)
        row = ResourceBooking(
            business=booked.business, resource=table, appointment=booked, service=booked.service,
            staff=booked.staff, start_time=booked.start_time, busy_start=booked.busy_start,
            busy_end=booked.busy_end, is_shared=True, status="scheduled",
        )  # fmt: skip
        row.save()

        def again(**values) -> None:
            row.pk = None
            for name, value in values.items():
                setattr(row, name, value)
            row.save(force_insert=True)

        # Of the same class only.
        again()
        for change in ({"staff": other.staff}, {"is_shared": False}):
            assert rejected(lambda change=change: again(**change), NO_RESOURCE_OVERLAP)
        again(status="cancelled")
        again(status="scheduled", resource=factories.make_resource(booked.business))


class TestWithoutStaff:
    @pytest.fixture
    def table(self, db) -> Appointment:
        service = factories.make_service(needs_staff=False, resource_kinds=["table"])
        return factories.make_appointment(service=service)

    def test_rows_overlap_freely(self, table):
        twin = another(table, start_time=table.start_time)
        Appointment.objects.filter(pk=twin.pk).update(busy_end=table.busy_end + HOUR)
        NO_OVERLAP.validate(Appointment, twin)

    @pytest.mark.parametrize("is_shared", (True, False))
    def test_their_resources_do_not(self, table, is_shared):
        resource = factories.make_resource(table.business)
        Appointment.objects.update(is_shared=is_shared)
        table.refresh_from_db()
        factories.reserve(table, resource)
        twin = another(table, start_time=table.start_time, is_shared=is_shared)
        later = another(
            table, start_time=table.start_time + timedelta(minutes=5), is_shared=is_shared
        )
        assert rejected(lambda: factories.reserve(later, resource), NO_RESOURCE_OVERLAP)
        assert rejected(lambda: factories.reserve(twin, resource), NO_RESOURCE_OVERLAP) != is_shared
        row = ResourceBooking.objects.filter(appointment=table)
        assert row.get().staff is None
        NO_RESOURCE_OVERLAP.validate(ResourceBooking, row.get())


class TestValidate:
    def test_is_a_validation_error_in_forms(self, booked):
        twin = Appointment.objects.get(pk=booked.pk)
        NO_OVERLAP.validate(Appointment, twin)
        twin.pk = None
        with pytest.raises(ValidationError, match="booked at that time"):
            NO_OVERLAP.validate(Appointment, twin)
        NO_OVERLAP.validate(Appointment, twin, exclude={"staff"})
        twin.status = "cancelled"
        NO_OVERLAP.validate(Appointment, twin)

    def test_skips_incomplete_rows(self, booked):
        NO_OVERLAP.validate(Appointment, Appointment(staff=booked.staff))


class TestSchemaChanges:
    def test_preserve_it(self, transactional_db):
        booked = factories.make_appointment()
        for change in (_alter_a_field, _add_and_remove_a_field, _drop_and_add_it_again):
            with connection.schema_editor() as editor:
                change(editor)
            assert rejected(lambda: another(booked, start_time=booked.start_time)), change

    def test_deconstruct_it_completely(self):
        _, args, kwargs = NO_OVERLAP.deconstruct()
        again = NoOverlap(*args, **kwargs)
        assert again == NO_OVERLAP
        assert hash(again) == hash(NO_OVERLAP)
        assert again != NoOverlap(**kwargs | {"excluded_statuses": ["x"]})


def _alter_a_field(editor) -> None:
    old = Appointment._meta.get_field("source")
    wider = models.CharField(max_length=60, default="api")
    wider.set_attributes_from_name("source")
    wider.model = Appointment
    editor.alter_field(Appointment, old, wider)
    editor.alter_field(Appointment, wider, old)


def _add_and_remove_a_field(editor) -> None:
    field = models.IntegerField(default=0)
    field.set_attributes_from_name("extra")
    field.model = Appointment
    editor.add_field(Appointment, field)
    editor.remove_field(Appointment, field)


def _drop_and_add_it_again(editor) -> None:
    editor.remove_constraint(Appointment, NO_OVERLAP)
    editor.add_constraint(Appointment, NO_OVERLAP)
