"""Generated calls for benchmarks: the same ones for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from calls.transcripts import Turn, turn, words_of

_ASKS = (
    "I would like to book a cleaning for {day}.",
    "Do you have an appointment on {day} in the {part}?",
    "I need to move my appointment to {day}.",
    "My {tooth} hurts since {day}, can somebody look at it?",
    "How much is a {service} and how long does it take?",
    "I want to cancel the {service} on {day}, please.",
)
_ANSWERS = (
    "We have {day} at {hour}, would that suit you?",
    "The {service} takes about an hour.",
    "May I have your name and number, please?",
    "You are booked for {day} at {hour}.",
    "Is there anything else that I can do for you?",
)
_FILL = {
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
    "part": ("morning", "afternoon", "evening"),
    "tooth": ("molar", "incisor", "wisdom tooth", "crown", "filling", "gum", "jaw"),
    "service": ("cleaning", "whitening", "extraction", "root canal", "checkup", "implant"),
    "hour": ("nine", "ten thirty", "noon", "two", "four fifteen"),
}
_SYLLABLES = ("ka", "ri", "mo", "ta", "ve", "lu", "shi", "no", "pe", "dra", "gu", "zi", "fa", "wen")


def transcript(chance: random.Random, turns: int) -> list[Turn]:
    """`turns` turns, with a rare word now and then."""
    spoken = []
    for number in range(turns):
        speaker = "caller" if number % 2 else "agent"
        text = chance.choice(_ASKS if number % 2 else _ANSWERS).format(
            **{name: chance.choice(words) for name, words in _FILL.items()}
        )
        if chance.random() < 0.1:
            text += f" My name is {''.join(chance.choices(_SYLLABLES, k=4)).title()}."
        spoken.append(turn(speaker, text, 4.0 * number))
    return spoken


def rows(
    count: int, *, business_id: int, customers: list[int], seed: int = 1
) -> Iterator[tuple[Any, ...]]:
    """Rows of `calls_call` in the order of COLUMNS. Texts are drawn from 4,000 different ones."""
    chance = random.Random(seed)
    texts = [transcript(chance, chance.choice((6, 10, 14))) for _ in range(4_000)]
    texts = [(json.dumps(text), words_of(text, "")) for text in texts]
    newest = datetime.now(UTC)
    for number in range(count):
        spoken, words = texts[chance.randrange(len(texts))]
        rare = f" {''.join(chance.choices(_SYLLABLES, k=3))}"
        at = newest - timedelta(seconds=26 * number)
        status = chance.choices(("completed", "missed", "failed", "in_progress"), (80, 17, 2, 1))[0]
        mood = chance.choices(("positive", "neutral", "negative", ""), (30, 45, 10, 15))[0]
        duration = int(chance.lognormvariate(4.5, 0.8)) if status == "completed" else 0
        yield (
            business_id,
            at,
            at,
            "kaivox",
            f"bench-{number}",
            "inbound" if number % 5 else "outbound",
            status,
            f"+9198{chance.randrange(10**8):08d}",
            "+918012345678",
            chance.choice(customers),
            at,
            at + timedelta(seconds=duration),
            duration,
            "",
            "",
            mood,
            "",
            "Asked about an appointment.",
            "",
            spoken,
            words + rare,
            "{}",
        )


COLUMNS = (
    "business_id, created_at, updated_at, provider, provider_call_id, direction, status, "
    "from_number, to_number, customer_id, started_at, ended_at, duration_seconds, end_reason, "
    "outcome, sentiment, sentiment_source, summary, recording_url, transcript, words, "
    "reported"
)
