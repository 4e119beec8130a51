"""`manage.py write_schema`: generates openapi.json and the Postman collection from the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from kaivox.pages.openapi_document import document
from kaivox.pages.postman import collection_of

OPENAPI = "openapi.json"
POSTMAN = "docs/kaivox.postman_collection.json"


class Command(BaseCommand):
    help = "Writes openapi.json and docs/kaivox.postman_collection.json; fails on any warning."

    def handle(self, *args: Any, **options: Any) -> None:
        GENERATOR_STATS.reset()
        made = document.__wrapped__()
        if GENERATOR_STATS:
            raise CommandError("The schema has warnings: see above.")
        validate_schema(made)
        _write(settings.BASE_DIR / OPENAPI, made)
        _write(settings.BASE_DIR / POSTMAN, collection_of(made))


def _write(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")
