"""Read-only SQL access to the data of one business, for BI tools; PostgreSQL only."""
