"""A Django app whose migration `tests.drills.production` runs while requests are served."""
