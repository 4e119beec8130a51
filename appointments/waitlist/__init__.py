"""The waiting list: customers who wait for a time that is not free yet."""
