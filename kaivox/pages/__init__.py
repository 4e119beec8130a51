"""Pages for people: the developers' page and its docs, the API's own pages, a member's settings."""
