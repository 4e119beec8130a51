from celery import shared_task
from django.utils import timezone

from customers import operations


@shared_task
def refresh_segments() -> None:
    """Nightly: customers whose six months are over become inactive."""
    operations.refresh_segments(now=timezone.now())
