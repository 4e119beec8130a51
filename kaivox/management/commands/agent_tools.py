"""Prints the tools for AI agents in a provider's format, as JSON."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from kaivox.agents.definitions import PROVIDER_FORMATS, definitions
from kaivox.agents.tools import TOOLS
from kaivox.businesses.management.businesses import business_with_slug


class Command(BaseCommand):
    help = "Prints the tools for AI agents, in the format of a voice provider's API or dashboard."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--business", required=True, help="Slug of the business.")
        parser.add_argument("--provider", required=True, choices=list(PROVIDER_FORMATS))
        parser.add_argument("--tool", choices=list(TOOLS), help="Only this one.")

    def handle(self, *args: Any, **options: Any) -> None:
        business = business_with_slug(options["business"])
        tools = [TOOLS[options["tool"]]] if options["tool"] else list(TOOLS.values())
        found: Any = definitions(options["provider"], business, tools)
        self.stdout.write(
            json.dumps(found[0] if options["tool"] else found, ensure_ascii=False, indent=2)
        )
