"""What the drill of bookings reads from the database, by plain SQL."""

from __future__ import annotations


def overlaps() -> int:
    """Number of pairs of active appointments of one staff member whose busy ranges overlap."""
    return number_of(
        "SELECT COUNT(*) FROM appointments_appointment a JOIN appointments_appointment b"
        " ON a.staff_id = b.staff_id AND a.id < b.id"
        " AND a.busy_start < b.busy_end AND b.busy_start < a.busy_end"
        " WHERE a.status <> 'cancelled' AND b.status <> 'cancelled'"
    )


def table_overlaps() -> int:
    """Number of pairs of active appointments that have a resource in common while their busy ranges
    overlap, by the appointments' own times."""
    return number_of(
        "SELECT COUNT(*) FROM appointments_resourcebooking x JOIN appointments_resourcebooking y"
        " ON x.resource_id = y.resource_id AND x.id < y.id"
        " JOIN appointments_appointment a ON a.id = x.appointment_id"
        " JOIN appointments_appointment b ON b.id = y.appointment_id"
        " AND a.busy_start < b.busy_end AND b.busy_start < a.busy_end"
        " WHERE a.status <> 'cancelled' AND b.status <> 'cancelled'"
    )


def crowded_tables() -> int:
    """Number of appointments without exactly one table, or with one that is too small."""
    return number_of(
        "SELECT COUNT(*) FROM appointments_appointment a WHERE 1 <> ("
        "SELECT COUNT(*) FROM appointments_resourcebooking x JOIN resources_resource r"
        " ON r.id = x.resource_id WHERE x.appointment_id = a.id AND r.capacity >= a.party_size)"
    )


def figures() -> tuple[int, int]:
    return (
        number_of("SELECT COUNT(*) FROM appointments_appointment"),
        number_of("SELECT COUNT(*) FROM webhooks_event WHERE type = 'appointment.booked'"),
    )


def number_of(statement: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])
