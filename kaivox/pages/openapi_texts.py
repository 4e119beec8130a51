"""Descriptions of schemas and fields in the OpenAPI document, written for users of the API.

A field's own `help_text` wins; here are those that speak for themselves to a reader of the code. A
name of a field describes it in every schema, `Schema.field` in that one. Docstrings are not used:
they are for readers of the code.
"""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

SCHEMAS: Final = {
    "Appointment": "A customer's time with a member of staff, or with resources alone.",
    "AppointmentCreate": "Who, what and when. With `hold_id` the time may be left out.",
    "AppointmentStatusUpdate": "The new status.",
    "AppointmentUpdate": "What changes: the time (`start_time`, or local date and time), `staff_id`, "
    "`service_id`, `status`, or details. Fields that are left out stay as they are.",
    "Attempt": "One HTTP request of a delivery, and its response.",
    "BusyCalendar": "A calendar elsewhere whose events block a person's time.",
    "BusyCalendarCreate": "Whose time it blocks, and its address.",
    "Call": "A phone call, as lists show it.",
    "CallWithTranscript": "A phone call with its transcript.",
    "Caller": "The business, its quota and usage, and the key of the request.",
    "CallingKey": "The API key of the request. Its secret is not stored.",
    "Clash": "Why an appointment cannot be booked, and when it could be.",
    "ClockHours": "A window of one day.",
    "ClockHoursInput": "A window of one day.",
    "Closure": "A time at which the business is closed.",
    "ClosureCreate": "`reason` and `first_date`; whole days where no times are sent.",
    "Creator": "Who decided where the events of a webhook go.",
    "Customer": "A person who calls, books and comes.",
    "CustomerCreate": "`name`, and at least one of `phone` and `email`.",
    "CustomerUpdate": "What changes. `null` clears a phone or an e-mail; one of them must remain.",
    "DateOverride": "Hours on one date, which replace those of the week.",
    "DateOverrideInput": "Hours on one date, which replace those of the week.",
    "Delivery": "One event, to be delivered to one webhook.",
    "DeliveryDetail": "A delivery with the body that was sent, and every attempt.",
    "Endpoint": "A webhook: a URL that receives events.",
    "EndpointCreate": "The URL that receives events, and which of them.",
    "EndpointHealth": "How the requests to a webhook have gone.",
    "EndpointUpdate": "What changes of a webhook. Fields that are left out stay as they are.",
    "EndpointWithSecret": "A webhook and its secret, which is shown once.",
    "EngineCall": "What is known of a call so far. Send it as often as it changes: when the call "
    "starts, ends, is analysed. What is left out, null or empty stays as it was reported before.",
    "EngineTurn": "One utterance of a call.",
    "Event": "What has happened: the body that webhooks carry, the same JSON values byte for byte.",
    "EventType": "A type of event that a webhook can subscribe to.",
    "ExceptionInput": "One appointment of the series that is booked at another time, or not at all.",
    "GroupedAppointment": "An appointment of a series or visit: as `Appointment`, without the name of the "
    "customer.",
    "Hold": "A time that is reserved until `expires_at`.",
    "HoldCreate": "The time to reserve while the customer decides.",
    "HoldUpdate": "How much longer the time is reserved.",
    "MessageReceipt": "What was made of a message.",
    "PartSlot": "A service of a visit at its place, with those who can perform it.",
    "Occurrence": "One appointment that a series would have.",
    "OfferedService": "A service that a member of staff performs.",
    "Quota": "Requests that the plan, or an agreement, allows.",
    "Recovery": "From when on missed events are sent again.",
    "Resource": "A studio, chair, table or machine that bookings reserve.",
    "ResourceCreate": "`name` and `kind`.",
    "ResourceUpdate": "What changes. `hours` and `closures` are replaced as a whole.",
    "SecretRotation": "How long the older secret remains valid.",
    "Series": "The rule by which appointments were booked together.",
    "SeriesCreate": "The first appointment, and the rule of the others. `start_time` or a local date and "
    "time; `count` or `until`.",
    "SeriesDetail": "A series and its appointments.",
    "SeriesPreview": "The appointments that a series would have.",
    "SeriesUpdate": "The new start of the first appointment that is moved, or another member of staff.",
    "Service": "What can be booked.",
    "ServiceCreate": "`name` and `duration_minutes`. Who offers it is written at the members of staff.",
    "ServiceUpdate": "What changes. Fields that are left out stay as they are.",
    "Slot": "A time that can be booked with any of `staff`; without staff where the service needs none.",
    "SlotStaff": "A member of staff who is free at the time.",
    "Staff": "A person who performs services.",
    "StaffCreate": "`name`, and what of the rest is known.",
    "StaffOut": "A period in which a member of staff is out, and what became of their appointments.",
    "StaffOutAppointment": "An appointment in the period, and what became of it.",
    "StaffOutBody": "The period, and what becomes of single appointments in it.",
    "StaffOutChange": "What becomes of one appointment.",
    "StaffUpdate": "What changes. `service_ids`, `working_hours`, `date_overrides` and "
    "`time_off` are replaced as a whole.",
    "TestEvent": "Of which type the example is sent.",
    "TimeOff": "A time at which a member of staff is away.",
    "TimeOffInput": "A time at which the member of staff is away.",
    "Turn": "What one side said in a call.",
    "Usage": "Both windows of the quota.",
    "WaitlistEntry": "A customer who waits for a time of a service.",
    "WaitlistEntryCreate": "Who waits for a time of which service, and on which days.",
    "Visit": "Several services for one customer, one after the other.",
    "VisitCreate": "The customer, the services in order, and the start of the first.",
    "VisitServiceInput": "A service of the visit, and who performs it.",
    "VisitSlot": "A start at which all services of a visit can be booked.",
    "VisitUpdate": "The new start of the first appointment, or another member of staff.",
    "WindowUsage": "One window of the quota.",
    "WorkingHours": "A time of each week at which a member of staff works.",
    "WorkingHoursInput": "A time of each week at which the member of staff works.",
}

FIELDS: Final = {
    "api_version": "The version of the API in whose form `data` is.",
    "attempt_count": "Requests made so far.",
    "attempts": "Every request, oldest first.",
    "business_id": "Id of the business.",
    "WaitlistEntry.offered_start_time": "The time of the current offer, or of the last one.",
    "WaitlistEntry.offered_staff_id": "Who would see the customer then.",
    "WaitlistEntry.offered_staff_name": "Their name.",
    "WaitlistEntry.offer_expires_at": "When the hold of the current offer ends, or of the last one.",
    "WaitlistEntry.unanswered_offers": "After three the entry expires.",
    "caller_name": "The name that the caller gave.",
    "cancellation_reason": "Why it was cancelled.",
    "country": "ISO 3166 country code.",
    "created_at": "When it was created, in UTC.",
    "currency": "ISO 4217 currency code.",
    "customer_id": "Id of the customer.",
    "data": "The object, or the objects of the list.",
    "date_from": "First day, in `timezone`.",
    "date_to": "Last day, included.",
    "deleted": "Always true.",
    "delivered_at": "When the receiver confirmed it with a 2xx.",
    "description": "A text for people.",
    "direction": "Who called whom.",
    "livemode": "False in a sandbox.",
    "disabled_at": "Since when it has been switched off.",
    "duration_minutes": "Length in minutes.",
    "duration_ms": "Milliseconds until the response was complete.",
    "duration_seconds": "Length in seconds.",
    "email": "E-mail address.",
    "end_reason": "Why the call ended, in the words of the provider.",
    "end_time": "When it ends, in UTC.",
    "ended_at": "When it ended, in UTC. Null while it is in progress.",
    "endpoint_id": "Id of the webhook.",
    "event_id": "Id of the event, the same for every webhook.",
    "event_type": "Type of the event.",
    "expires_at": "When it expires, in UTC.",
    "finished_at": "When the response was complete. Null while it is in flight.",
    "frequency": "Unit of `interval`.",
    "http_status": "Status of the response; null where there was none.",
    "id": "Id of the object.",
    "is_active": "False: nothing is sent to it.",
    "last_failure": "The latest attempt that failed: when, and why.",
    "last_four": "The last four characters of the key.",
    "max_in_flight": "At most so many requests at once.",
    "meaning": "What has happened when it is sent.",
    "metadata": "Your own data: up to 50 strings by name.",
    "name": "Name for people.",
    "notes": "Notes for the staff.",
    "number": "1 for the first.",
    "outcome": "How it ended.",
    "p50_ms": "Half of the responses took no longer, in milliseconds.",
    "p95_ms": "95 of 100 responses took no longer, in milliseconds.",
    "pipeline_stage": "Position in the sales pipeline.",
    "plan": "The plan of the business.",
    "prefix": "The first characters of the key.",
    "previous_staff_id": "Id of the member of staff before the change, null if there was none.",
    "previous_start_time": "When it began before the change.",
    "price": "Decimal number as a string, in `currency`.",
    "provider": "Which voice provider carried the call.",
    "provider_call_id": "The provider's own id of the call.",
    "rate_limit_period": "Period of `rate_limit`.",
    "reason": "Why.",
    "recording_url": "Where the recording is.",
    "remaining": "Requests left.",
    "request_headers": "What was sent; your own headers are masked.",
    "response_truncated": "True: the response's body was longer.",
    "scopes": "What the key may do.",
    "segment": "The customer's segment.",
    "sentiment": "The caller's sentiment.",
    "sentiment_score": "From −1 (negative) to 1 (positive).",
    "service": "Name of the service.",
    "service_id": "Id of the service.",
    "slug": "Short name in URLs.",
    "source": "Where it came from.",
    "speaker": "Who speaks.",
    "specialty": "Field of work.",
    "staff": "Members of staff who are free; empty where the service needs none.",
    "staff_id": "Id of the member of staff.",
    "staff_name": "Name of the member of staff, if there is one.",
    "start_time": "When it begins, in UTC.",
    "started_at": "When it began, in UTC.",
    "state": "`read`, or why not.",
    "status": "Present state.",
    "succeeded": "Attempts that were answered with a 2xx.",
    "summary": "What was said, in short.",
    "text": "The words.",
    "timezone": "IANA time zone.",
    "total": "How many there are.",
    "to_number": "The number that was called, in E.164.",
    "transcript": "What was said, in order.",
    "trigger": "Why it was made.",
    "type": "Which kind it is.",
    "updated_at": "When it last changed, in UTC.",
    "url": "The URL that receives the requests.",
    "used": "Requests used.",
    "EndpointHealth.attempts": "Requests made.",
    "CallingKey.expires_at": "When the key expires, in UTC. Null: never.",
    "Creator.type": "An API key, or a user.",
    "Creator.name": "Name of the API key.",
    "Usage.minute": "In any 60 seconds.",
    "Usage.day": "In the present UTC day.",
    "Caller.quota": "What the plan allows.",
    "Caller.usage": "What was used, and what is left.",
    "EventType.name": "The name to subscribe to.",
}

# By `operationId`, where a phrase made of it would be wrong.
SUMMARIES: Final = {
    "get_index": "List the addresses of all resources",
    "get_business": "Get the business, its quota and the key of the request",
    "get_staff": "Get a member of staff",
    "list_waitlist": "List the waiting list",
    "get_waitlist": "Get an entry of the waiting list",
    "get_webhooks_event_types": "List the types of events",
}


def describe(document: Schema) -> None:
    """Adds the descriptions above to `document`."""
    operations = [one for path in document["paths"].values() for one in path.values()]
    for operation in operations:
        if operation["operationId"] in SUMMARIES:
            operation["summary"] = SUMMARIES[operation["operationId"]]
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        if name in SCHEMAS:
            schema["description"] = SCHEMAS[name]
        _describe_fields(name, schema)
    _describe_fields("", document["paths"])


def _describe_fields(owner: str, part: Any) -> None:
    if isinstance(part, list):
        for inner in part:
            _describe_fields(owner, inner)
    if not isinstance(part, dict):
        return
    properties = part.get("properties", {})
    for name, schema in properties.items():
        text = FIELDS.get(f"{owner}.{name}") or FIELDS.get(name)
        # A reference shows the description of its target. A copy, as two fields may share a schema.
        if text and "$ref" not in schema:
            properties[name] = {**schema, "description": schema.get("description") or text}
    for name, inner in part.items():
        if name not in ("example", "examples", "enum", "default"):
            _describe_fields(owner, inner)
