"""KaiVox.

The Celery app is in `kaivox.celery` and is not imported here, because it would cost a web process 20 MB.
Requests therefore publish tasks by name through `settings.CELERY_APP`, as `webhooks.wakeups` does, and
not by `.delay()`.
"""
