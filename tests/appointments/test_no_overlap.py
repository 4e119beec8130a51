"""The constraint has the last word, on both databases and through every later migration."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction

from appointments.models import NO_OVERLAP, Appointment
from appointments.no_overlap import NoOverlap
from tests import factories

HOUR = timedelta(hours=1)


@pytest.fixture
def standing(db) -> Appointment:
    return factories.make_appointment()


def another(standing: Appointment, **values) -> Appointment:
    return factories.make_appointment(
        service=standing.service, staff=standing.staff, customer=standing.customer, **values
    )


def refused(act) -> bool:
    try:
        with transaction.atomic():
            act()
    except IntegrityError as error:
        return NO_OVERLAP.is_broken_by(error)
    return False


class TestNoOverlap:
    @pytest.mark.parametrize("minutes", (-29, -1, 0, 1, 29))
    def test_refuses_an_insert_that_overlaps(self, standing, minutes):
        start = standing.start_time + timedelta(minutes=minutes)
        assert refused(lambda: another(standing, start_time=start))

    @pytest.mark.parametrize("minutes", (-30, 30))
    def test_lets_neighbours_stand(self, standing, minutes):
        another(standing, start_time=standing.start_time + timedelta(minutes=minutes))

    def test_counts_buffers(self, standing):
        standing.service.buffer_before_minutes = 5
        start = standing.end_time
        assert refused(lambda: another(standing, start_time=start + timedelta(minutes=4)))
        another(standing, start_time=start + timedelta(minutes=5))

    def test_refuses_a_move_onto_another(self, standing):
        later = another(standing, start_time=standing.start_time + HOUR)
        row = Appointment.objects.filter(pk=later.pk)
        moved = {"busy_start": standing.busy_start, "start_time": standing.start_time}
        assert refused(lambda: row.update(**moved))

    def test_refuses_a_hand_over_to_who_is_taken(self, standing):
        other = factories.make_appointment(service=standing.service, start_time=standing.start_time)
        row = Appointment.objects.filter(pk=other.pk)
        assert refused(lambda: row.update(staff=standing.staff))

    def test_refuses_bringing_back_a_cancelled_one(self, standing):
        gone = another(standing, start_time=standing.start_time, status="cancelled")
        assert refused(lambda: Appointment.objects.filter(pk=gone.pk).update(status="scheduled"))

    def test_blocks_for_no_shows_and_completed_ones(self, standing):
        for status in ("completed", "no_show"):
            Appointment.objects.filter(pk=standing.pk).update(status=status)
            assert refused(lambda: another(standing, start_time=standing.start_time))

    def test_lets_a_row_change_in_its_own_place(self, standing):
        standing.notes = "x"
        standing.save()
        later = standing.busy_start + timedelta(minutes=10)
        Appointment.objects.filter(pk=standing.pk).update(
            busy_start=later, start_time=later, status="completed"
        )

    def test_is_no_other_integrity_error(self, standing):
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            Appointment.objects.filter(pk=standing.pk).update(busy_end=standing.busy_start)
        assert not NO_OVERLAP.is_broken_by(caught.value)


class TestValidate:
    def test_tells_a_form_before_the_database_has_to(self, standing):
        twin = Appointment.objects.get(pk=standing.pk)
        NO_OVERLAP.validate(Appointment, twin)
        twin.pk = None
        with pytest.raises(ValidationError, match="taken at that time"):
            NO_OVERLAP.validate(Appointment, twin)
        NO_OVERLAP.validate(Appointment, twin, exclude={"staff"})
        twin.status = "cancelled"
        NO_OVERLAP.validate(Appointment, twin)

    def test_waits_until_the_row_is_complete(self, standing):
        NO_OVERLAP.validate(Appointment, Appointment(staff=standing.staff))


class TestSchemaChanges:
    def test_leave_it_in_place(self, transactional_db):
        standing = factories.make_appointment()
        for change in (_alter_a_field, _add_and_remove_a_field, _drop_and_add_it_again):
            with connection.schema_editor() as editor:
                change(editor)
            assert refused(lambda: another(standing, start_time=standing.start_time)), change

    def test_it_is_written_into_migrations_whole(self):
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
