#!/usr/bin/env python
"""Django's command line: `python manage.py help` lists the commands."""

import sys


def main() -> None:
    from kaivox.startup import load_settings

    load_settings()
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import CommandError, execute_from_command_line

    from kaivox.db.migrated import migrated_database

    try:
        with migrated_database():
            execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, CommandError) as error:
        sys.exit(f"kaivox: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
