"""The WSGI application, for waitress and gunicorn."""

import os
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")

application: Any = get_wsgi_application()

if settings.REDIS_URL:
    from kaivox.front import Front  # it knows models, so they must be there

    application = Front(application)
