"""Members of staff who are out: what becomes of their appointments."""
