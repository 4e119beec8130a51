"""Start, end and duration of a call, derived from what its messages reported.

Reported values are stored in `Call.reported`, apart from the columns derived from them, which are
derived again at each message: so the order of messages makes no difference. Pure but for the call
that it changes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from calls.call_report import CallReport
from calls.masking import mask_turns
from calls.models import Call, CallStatus
from calls.transcripts import Turn, turn

_DURATION: Final = "duration_seconds"
# More turns than a card number takes, digit by digit with a response to each. All turns would be masked
# again at each sentence, while the call is locked.
_NEIGHBOURS: Final = 48


def record(call: Call, report: CallReport, *, now: datetime) -> None:
    """Adds what `report` says to the reported values of `call`: the earliest start and end, the
    longest duration."""
    reported = dict(call.reported) or _of_columns(call)
    _earliest(reported, "started_at", report.started_at)
    _earliest(reported, "ended_at", report.ended_at)
    _earliest(reported, "heard_at", now)
    if report.status and report.status != CallStatus.IN_PROGRESS:
        _earliest(reported, "end_heard_at", now)
    if report.duration_seconds is not None:
        reported[_DURATION] = max(report.duration_seconds, reported.get(_DURATION, 0))
    if report.caller_doubtful:
        reported["caller_doubtful"] = True
    if report.utterance is not None:
        sequence, speaker, text, said_at = report.utterance
        said = [speaker, text, said_at.isoformat() if said_at else None]
        # A repeat does not bring back what was masked together with a later sentence.
        reported["utterances"] = {str(sequence): said} | reported.get("utterances", {})
    call.reported = reported


def derive(call: Call) -> None:
    """Sets start, end and duration of `call` from its reported values."""
    started, ended = _instant(call, "started_at"), _instant(call, "ended_at")
    seconds: int | None = call.reported.get(_DURATION)
    length = timedelta(seconds=seconds or 0)
    heard = _instant(call, "heard_at") or call.started_at
    end_heard = _instant(call, "end_heard_at") or heard
    if started is None and seconds is not None:
        started = (ended or end_heard) - length
    call.started_at = started or min(heard, ended or heard)
    if not call.is_over:
        call.ended_at = ended
        call.duration_seconds = seconds or 0
        return
    if ended is None and seconds is not None:
        # The provider's clock may be ahead of ours; nothing ends in the future.
        ended = min(call.started_at + length, end_heard)
    call.ended_at = max(ended or end_heard, call.started_at)
    spoken = int((call.ended_at - call.started_at).total_seconds())
    derived = 0 if call.status == CallStatus.MISSED else spoken
    call.duration_seconds = derived if seconds is None else seconds


def utterances(call: Call, *, newest: int) -> list[Turn]:
    """Sentences transcribed during the call as turns; `newest` is masked together with its neighbours
    where the business says so. All others were masked when they came."""
    stored: dict[str, list[Any]] = call.reported.get("utterances", {})
    order = sorted(stored, key=int)
    turns = []
    for sequence in order:
        speaker, text, said_at = stored[sequence]
        since = (
            (datetime.fromisoformat(said_at) - call.started_at).total_seconds() if said_at else None
        )
        turns.append(turn(speaker, text, since))
    if turns and call.business.mask_transcripts:
        place = order.index(str(newest))
        near = slice(max(0, place - _NEIGHBOURS), place + _NEIGHBOURS + 1)
        turns[near] = mask_turns(turns[near])
        for sequence, one in zip(order[near], turns[near], strict=True):
            stored[sequence] = [one["speaker"], one["text"], stored[sequence][2]]
    return turns


def _of_columns(call: Call) -> dict[str, Any]:
    """For a call that was stored before reported values were, or whose were erased."""
    if call._state.adding:
        return {}
    reported: dict[str, Any] = {"started_at": call.started_at.isoformat()}
    if call.ended_at is not None:
        reported |= {"ended_at": call.ended_at.isoformat(), _DURATION: call.duration_seconds}
    return reported


def _earliest(reported: dict[str, Any], name: str, instant: datetime | None) -> None:
    if instant is None:
        return
    known = reported.get(name)
    if known is None or instant < datetime.fromisoformat(known):
        reported[name] = instant.isoformat()


def _instant(call: Call, name: str) -> datetime | None:
    text = call.reported.get(name)
    return datetime.fromisoformat(text) if text else None
