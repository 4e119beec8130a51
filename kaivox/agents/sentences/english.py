"""English: the catalogue that the others translate."""

from __future__ import annotations

from datetime import date, time
from typing import Final

from kaivox.agents.sentences.language import Language

_WEEKDAYS: Final = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

SENTENCES: Final = {
    # business_info
    "open_today": "{business} is open today {choices}.",
    "closed_today": "{business} is closed today.",
    "hours": "from {start} to {end}",
    "offers": "We offer {choices}.",
    "offers_more": "We offer {choices}, and more.",
    "service": "{service} takes {minutes} minutes and costs {price}.",
    "service_without_price": "{service} takes {minutes} minutes.",
    # find_times
    "times_on_day": "On {day} we have {choices}. Which would you like?",
    "times": "We have {choices}. Which would you like?",
    "exact_time": "Yes, {time} is free. Shall I book it?",
    "nearest_times": "{time} is not free. We have {choices}. Would one of these work?",
    "no_times_then_next": "There is nothing free on {day}. The next free time is {time}. Would that work?",
    "no_times": "There is nothing free for {service} at the moment. May I take a message instead?",
    # hold_time, book, reschedule, cancel
    "held": "I am holding {time} for you. What name should I book it under?",
    "booked": "You are booked for {service} with {staff} on {time}.",
    "booked_party": "You are booked for {service}, {people} people, with {staff} on {time}.",
    "booked_alone": "You are booked for {service} on {time}.",
    "booked_party_alone": "You are booked for {service}, {people} people, on {time}.",
    "moved": "Your {service} with {staff} is now on {time}.",
    "moved_party": "Your {service} with {staff} is now for a party of {people} on {time}.",
    "moved_alone": "Your {service} is now on {time}.",
    "moved_party_alone": "Your {service} is now for a party of {people} on {time}.",
    "cancelled": "Your {service} on {time} is cancelled.",
    "already_cancelled": "Your {service} on {time} was cancelled already.",
    # confirm_appointment
    "confirmed": "Thank you, your {service} on {time} is confirmed.",
    "declined": "I have noted that you cannot come on {time}. Shall I cancel it, or find another time?",
    # find_appointments
    "appointments": "You have {choices}.",
    "appointment": "{service} on {time}",
    "no_appointments": "I do not see an upcoming appointment under this number. Is there another number?",
    "which_appointment": "Which one do you mean: {choices}?",
    "appointment_unknown": "I cannot find that appointment. Which phone number was it booked with?",
    # join_waitlist
    "waitlist_joined": "You are on the waiting list for {service} on {day}. We will contact you if a time becomes free.",
    "waitlist_joined_days": "You are on the waiting list for {service} from {day} to {last}. We will contact you if a time becomes free.",
    "already_waiting": "You are on the waiting list for this already. We will contact you.",
    "waitlist_full": "The waiting list is full at the moment. May I take a message instead?",
    # customers and messages
    "customer": "I have found you, {name}.",
    "customer_unknown": "I do not have this number yet. May I have your name?",
    "message_taken": "I have passed on your message. Someone will get back to you.",
    # questions
    "ask_again": "Sorry, I did not get {field}. Could you say it again?",
    "ask_service": "Which service would you like: {choices}?",
    "ask_start": "Which day and time would you like?",
    "ask_phone": "What is the best phone number for you?",
    "ask_name": "May I have your name, please?",
    "ask_message": "What should I pass on?",
    "service_unknown": "We have no service called {name}. We offer {choices}. Which one would you like?",
    "service_unclear": "Do you mean {choices}?",
    "staff_unknown": "We have no one called {name}. We have {choices}. Who would you like?",
    "staff_unclear": "Do you mean {choices}?",
    "day_unclear": "Sorry, which day do you mean? Today is {today}.",
    "day_past": "{day} is in the past; today is {today}. Which day would you like?",
    "time_unclear": "Sorry, what time would you like?",
    "phone_invalid": "That phone number does not seem right. Could you repeat it with the area code?",
    # errors
    "slot_unavailable": "{time} is no longer free. Which other time would you like?",
    "outside_working_hours": "{time} is outside our hours. Which other time would you like?",
    "alternatives": "{time} is not available. We have {choices}. Would one of these work?",
    "alternatives_to_skipped": "The clocks change then, so that time does not exist. We have {choices}. Would one of these "
    "work?",
    "in_the_past": "{time} is in the past; today is {today}. Which day and time would you like?",
    "too_soon": "{time} is too short notice for us. Would a later time work?",
    "too_far_ahead": "{time} is too far ahead for us to book. Would an earlier day work?",
    "nonexistent_local_time": "The clocks change then, so that time does not exist. Which other time would you like?",
    "party_too_large": "We cannot take {people} people together for {service}. Would a smaller group work?",
    "staff_not_qualified": "{staff} does not offer {service}. May I book it with someone else?",
    "nobody_offers": "No one offers {service} at the moment. Would you like something else?",
    "inactive": "That can no longer be booked. Would you like something else?",
    "hold_expired": "The time is no longer on hold. Shall I look for free times again?",
    "hold_mismatch": "The hold is for another time. Which time would you like?",
    "invalid_transition": "That appointment can no longer be changed. Shall I book a new one?",
    "too_late_to_change": "It is too late to change that appointment here. May I take a message for the team?",
    "customer_erased": "I cannot book under this number. May I take a message for the team?",
    "insufficient_scope": "I am not able to do that on this line. May I take a message instead?",
    "unknown_tool": "Sorry, I cannot do that here. Can I help you with an appointment?",
    "too_many_requests": "I need a moment. Please stay on the line, and I will try again shortly.",
    "service_unavailable": "I need a moment. Please stay on the line, and I will try again shortly.",
    "failed": "Sorry, that did not work. May I take a message for the team?",
}


def _day(day: date, with_year: bool) -> str:
    text = f"{_WEEKDAYS[day.weekday()]}, {_MONTHS[day.month - 1]} {day.day}"
    return f"{text}, {day.year}" if with_year else text


def _clock(clock: time) -> str:
    hour, half = clock.hour % 12 or 12, "AM" if clock.hour < 12 else "PM"
    return f"{hour}:{clock.minute:02} {half}" if clock.minute else f"{hour} {half}"


ENGLISH: Final = Language(
    code="en",
    sentences=SENTENCES,
    words={"and": "and", "or": "or"},
    fields={
        "service": "the service",
        "staff": "the name",
        "day": "the day",
        "until": "the day",
        "time": "the time",
        "start": "the day and time",
        "part_of_day": "the time of day",
        "party_size": "how many people",
        "phone": "the phone number",
        "name": "your name",
        "reason": "the reason",
        "notes": "that",
        "message": "the message",
        "hold_id": "that",
        "appointment_id": "which appointment",
        "answer": "whether you will come",
    },
    currencies={"INR": "rupees", "USD": "dollars", "GBP": "pounds", "EUR": "euros"},
    weekdays=_WEEKDAYS,
    months=_MONTHS,
    day=_day,
    clock=_clock,
    moment=lambda day, clock: f"{day} at {clock}",
)
