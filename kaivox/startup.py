"""Loads the settings, or ends the process with one line: no traceback, exit status 1.

Web, worker, beat and manage.py all start here, so that each reports an invalid setting in the same way.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys


def load_settings() -> None:
    """Raises SystemExit where a setting cannot be parsed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")
    # The collections of the interpreter's shutdown take 0.4 s for the modules of KaiVox, and free memory
    # that the kernel is about to free. `make up` waits for four processes.
    atexit.register(gc.freeze)
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        _ = settings.DEBUG
    except ImproperlyConfigured as error:
        sys.exit(f"kaivox: {error}")
