"""Visits: several services back to back, booked as one."""
