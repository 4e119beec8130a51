"""The admin: site, base classes, object actions, and the admin of businesses and API keys."""
