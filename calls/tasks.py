from celery import shared_task

from calls import ingestion, links, operations, retention, tool_calls
from kaivox.db.clock import database_now


@shared_task
def finish_due_calls() -> None:
    """Every two seconds: scores finished calls and sends their `call.completed`."""
    operations.finish_due_calls(now=database_now())


@shared_task
def forget_old_messages() -> None:
    """Nightly: deletes provider messages and links to calls never reported after 30 days, and tool calls
    after 90."""
    ingestion.forget_old_messages(now=database_now())
    links.forget_awaited_links(now=database_now())
    tool_calls.delete_old_tool_calls(now=database_now())


@shared_task
def forget_old_transcripts() -> None:
    """Nightly: empties transcripts past the retention period of their business."""
    retention.forget_old_transcripts(now=database_now())
