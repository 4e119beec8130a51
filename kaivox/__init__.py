"""KaiVox. The Celery app is made here, so that whoever publishes a task speaks to our broker."""

from kaivox.celery import app as celery_app

__all__ = ["celery_app"]
