"""KaiVox.

Celery's app is in `kaivox.celery` and is not made here: a web process has no need of it. So a task is
not published by its `.delay()` in a request, but by its name through `settings.TASK_APP`, as
`webhooks.hints` does.
"""
