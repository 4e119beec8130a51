"""Transcripts of the demo's phone calls, by outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from calls.transcripts import Turn, turn

SECONDS_PER_WORD: Final = 0.38
PAUSE_SECONDS: Final = 1.2


@dataclass(frozen=True)
class Conversation:
    """`turns` alternate, the agent first. Placeholders: {business} {agent} {name} {service} {day}
    {time}."""

    outcome: str
    sentiment: str
    score: float
    summary: str
    turns: Sequence[str]


BOOKED: Final = (
    Conversation(
        "booked", "positive", 0.72, "{name} booked {service} on {day} at {time}.",
        (
            "Thank you for calling {business}, this is {agent}. How can I help you?",
            "Hi, I would like to book {service}, please.",
            "Of course. Which day suits you best?",
            "Do you have anything on {day}?",
            "Yes, I have {time} on {day}. Shall I take that for you?",
            "Perfect, that works really well for me.",
            "May I have your name?",
            "It's {name}.",
            "Thank you, {name}. You are booked for {service} on {day} at {time}. Anything else?",
            "No, that was wonderfully quick. Thank you so much!",
            "My pleasure. See you on {day}.",
        ),
    ),
    Conversation(
        "booked", "neutral", 0.1, "{name} compared two times and took {day} at {time} for {service}.",
        (
            "{business}, {agent} speaking. What can I do for you?",
            "I need an appointment for {service}. It should be after work.",
            "Let me look. I could offer {day} at {time}, or the same time a day later.",
            "How long does it take?",
            "It is in your calendar with the exact length once we book. Which day would you like?",
            "Then {day}.",
            "Under which name?",
            "{name}.",
            "Booked: {service}, {day}, {time}.",
            "Okay. Bye.",
        ),
    ),
    Conversation(
        "booked", "positive", 0.55, "A friend recommended the place; {name} booked {service}.",
        (
            "Good day, you have reached {business}. I'm {agent}.",
            "Hello! A friend told me you are great, so I wanted to try {service}.",
            "That is lovely to hear. Would {day} at {time} be all right?",
            "Let me see... yes, that's great.",
            "And your name, please?",
            "{name}, same number I am calling from.",
            "All set, {name}. We look forward to seeing you on {day} at {time}.",
            "Thanks, I'm looking forward to it!",
        ),
    ),
)  # fmt: skip

OTHERS: Final = (
    Conversation(
        "information", "neutral", 0.05, "Asked for opening hours and parking.",
        (
            "{business}, this is {agent}. How may I help?",
            "Hi, what time do you open on Saturdays?",
            "It depends on the person you come to see; most of us begin in the morning.",
            "And is there parking?",
            "There is, right behind the building, free for the first two hours.",
            "Okay, good to know. Bye.",
            "Goodbye.",
        ),
    ),
    Conversation(
        "information", "positive", 0.48, "Asked what {service} costs and will call back.",
        (
            "Thanks for calling {business}, {agent} here.",
            "Hello, could you tell me what {service} costs?",
            "Gladly. I can send you the price list as a message, or tell you now.",
            "A message would be great, thank you.",
            "It is on its way. Shall I look for a time for you?",
            "Not yet, I'll talk to my partner first. You were very helpful!",
        ),
    ),
    Conversation(
        "cancelled", "neutral", -0.12, "{name} cancelled because of travel.",
        (
            "{business}, {agent} speaking.",
            "Hi, it's {name}. I have to cancel my appointment, I'm travelling that week.",
            "No problem, {name}. I have cancelled it. Shall we find another day?",
            "I'll call when I'm back.",
            "Safe travels.",
        ),
    ),
    Conversation(
        "rescheduled", "neutral", 0.15, "{name} asked to move to another day.",
        (
            "Hello, this is {agent} at {business}.",
            "Hi, {name} here. Could I come a bit later in the week? Something came up at work.",
            "Let me check. {day} at {time} is free.",
            "Yes, that's fine. Thanks.",
            "Moved to {day}, {time}. You will get a message.",
        ),
    ),
    Conversation(
        "other", "negative", -0.68, "{name} waited 40 minutes last time and asked for a call back.",
        (
            "{business}, {agent} speaking, how can I help?",
            "I'm really annoyed. Last time I waited forty minutes and nobody told me why.",
            "I am sorry, {name}. That should not have happened.",
            "It was a terrible waste of my morning, honestly.",
            "I understand. I have noted it for the manager, who will call you back today.",
            "I hope so, because otherwise I won't come again.",
            "Thank you for telling us.",
        ),
    ),
    Conversation(
        "other", "negative", -0.45, "A wrong amount on the bill of {name}; to be checked.",
        (
            "Thank you for calling {business}. This is {agent}.",
            "There's a mistake on my bill. I was charged twice for {service}.",
            "I'm sorry about that. May I have your name to look it up?",
            "{name}. This is the second time, it's frustrating.",
            "I see it, {name}. I have passed it on, and you will hear from us tomorrow.",
            "Fine. Please make sure it is sorted out.",
        ),
    ),
)  # fmt: skip


def transcript(conversation: Conversation, words: dict[str, str]) -> list[Turn]:
    """The turns with their offsets, as the API shows them."""
    turns: list[Turn] = []
    at = 0.0
    for number, text in enumerate(conversation.turns):
        spoken = text.format(**words)
        speaker = "caller" if number % 2 else "agent"
        turns.append(turn(speaker, spoken, at))
        at += len(spoken.split()) * SECONDS_PER_WORD + PAUSE_SECONDS
    return turns


def length_of(turns: Sequence[Turn]) -> int:
    """How long the call took, in seconds."""
    last = turns[-1]
    return int((last["offset_seconds"] or 0) + len(last["text"].split()) * SECONDS_PER_WORD + 3)
