from celery import shared_task
from django.utils import timezone

from calls import inbox, operations, retention


@shared_task
def finish_due_calls() -> None:
    """Every two seconds: scores finished calls and sends their `call.completed`."""
    operations.finish_due_calls(now=timezone.now())


@shared_task
def forget_old_messages() -> None:
    """Nightly: messages of providers are kept for 30 days."""
    inbox.forget_old_messages(now=timezone.now())


@shared_task
def forget_old_transcripts() -> None:
    """Nightly: transcripts older than their business keeps them."""
    retention.forget_old_transcripts(now=timezone.now())
