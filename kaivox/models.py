"""Models of the installation, which belong to no business."""

from __future__ import annotations

from django.db import models


class Heartbeat(models.Model):
    """The last heartbeat of a worker or of beat, by the database's clock."""

    # `beat`, or `worker:` and the host's name.
    process = models.CharField(max_length=255, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.process
