"""Commands of `kaivox`."""

from __future__ import annotations

import json as json_module
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from kaivox import NOT_GIVEN, APIConnectionError, KaiVox, KaiVoxError, __version__, errors
from kaivox.cli import config
from kaivox.cli.forwarding import Forwarded, Forwarder
from kaivox.cli.output import console, print_json, printable, show, show_one, stderr
from kaivox.cli.triggers import cause, example
from kaivox.events import WebhookEvent

app = typer.Typer(
    help="The KaiVox API on the command line.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its frames would show local variables, keys among them
)

Sandbox = Annotated[bool, typer.Option("--sandbox", help="Use the key of the sandbox.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many rows.")]

_APPOINTMENT_COLUMNS: Final = (
    "id",
    "start_time",
    "service",
    "staff_name",
    "customer_name",
    "status",
)
_RECONNECT_SECONDS: Final = 2.0


def run() -> None:
    """Runs the command; errors are one sentence on stderr and exit status 1."""
    try:
        app()
    except KaiVoxError as error:
        text = "\n".join(map(printable, str(error).splitlines()))
        stderr.print(Text(f"Error: {text}", style="red"))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"kaivox {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """The KaiVox API on the command line."""


@app.command()
def login(
    url: Annotated[str | None, typer.Option(help="Address of the API, if not the default.")] = None,
    sandbox: Sandbox = False,
) -> None:
    """Store an API key for the other commands. It is asked for, or read from a pipe."""
    piped = not sys.stdin.isatty()
    key = sys.stdin.readline() if piped else typer.prompt("API key", hide_input=True)
    key = key.strip()
    client = KaiVox(key, base_url=url, sandbox=sandbox or None)
    business = client.business.get()
    config.save_login(key, client)
    kind = "live data" if client.livemode else "a sandbox"
    console.print(
        Text(f"Logged in to {printable(business.name)} ({kind}). Saved in {config.path()}.")
    )


@app.command()
def services(json: Json = False, sandbox: Sandbox = False) -> None:
    """List the services that can be booked."""
    columns = ("id", "name", "duration_minutes", "price", "currency")
    show(config.connect(sandbox=sandbox).services.list(), columns, as_json=json)


@app.command()
def slots(
    service: Annotated[int, typer.Argument(help="Id of the service.")],
    date: Annotated[str | None, typer.Option(help="This day, YYYY-MM-DD. Default: today.")] = None,
    date_from: Annotated[str | None, typer.Option("--from", help="From this day on.")] = None,
    date_to: Annotated[str | None, typer.Option("--to", help="To this day.")] = None,
    staff: Annotated[int | None, typer.Option(help="Only of this member of staff.")] = None,
    limit: Limit = 20,
    json: Json = False,
    sandbox: Sandbox = False,
) -> None:
    """List free times of a service."""
    client = config.connect(sandbox=sandbox)
    found = client.slots.list(
        service_id=service,
        date=_or_left_out(date),
        date_from=_or_left_out(date_from),
        date_to=_or_left_out(date_to),
        staff_id=_or_left_out(staff),
        limit=limit,
    )
    if json:
        print_json([slot.to_dict() for slot in found])
        return
    if found:
        console.print(Text(f"Times in {found.meta.timezone}"))
    show(found, ("date", "time", "start_time", "staff"), as_json=False)
    if not found and found.meta.next_available is not None:
        console.print(
            Text(f"Next: {found.meta.next_available.date} {found.meta.next_available.time}")
        )


@app.command()
def book(
    service: Annotated[int, typer.Option(help="Id of the service.")],
    at: Annotated[
        str, typer.Option(help="'2026-03-02 10:00' in the business's time zone, or with an offset.")
    ],
    customer: Annotated[int | None, typer.Option(help="Id of the customer.")] = None,
    name: Annotated[str | None, typer.Option(help="Instead: name of a customer, …")] = None,
    phone: Annotated[str | None, typer.Option(help="… found by phone or added.")] = None,
    staff: Annotated[int | None, typer.Option(help="Id of the member of staff.")] = None,
    notes: Annotated[str | None, typer.Option(help="Notes for the staff.")] = None,
    json: Json = False,
    sandbox: Sandbox = False,
) -> None:
    """Book an appointment."""
    when = _time_arguments(at)
    client = config.connect(sandbox=sandbox)
    if customer is None:
        if not (name and phone):
            raise typer.BadParameter("Give --customer, or --name and --phone.")
        found = client.customers.create(name=name, phone=phone, on_existing="return")
        customer = found.id
    booked = client.appointments.create(
        customer_id=customer,
        service_id=service,
        staff_id=_or_left_out(staff),
        notes=_or_left_out(notes),
        source="cli",
        **when,
    )
    if json:
        print_json(booked.to_dict())
    else:
        show([booked], _APPOINTMENT_COLUMNS, as_json=False)


@app.command()
def customers(
    id: Annotated[int | None, typer.Argument(help="Show this one.")] = None,
    search: Annotated[str | None, typer.Option(help="In name, phone and e-mail.")] = None,
    limit: Limit = 20,
    json: Json = False,
    sandbox: Sandbox = False,
) -> None:
    """List customers, newest first, or show one."""
    client = config.connect(sandbox=sandbox)
    if id is not None:
        show_one(client.customers.get(id), as_json=json)
        return
    rows = client.customers.list(search=_or_left_out(search), per_page=min(limit, 100))
    columns = ("id", "name", "phone", "email", "segment", "total_appointments")
    show(islice(rows, limit), columns, as_json=json)


@app.command()
def calls(
    id: Annotated[int | None, typer.Argument(help="Show this one, with its transcript.")] = None,
    sentiment: Annotated[str | None, typer.Option(help="positive, neutral or negative.")] = None,
    search: Annotated[str | None, typer.Option(help="In transcript and summary.")] = None,
    limit: Limit = 20,
    json: Json = False,
    sandbox: Sandbox = False,
) -> None:
    """List calls, newest first, or show one."""
    client = config.connect(sandbox=sandbox)
    if id is not None:
        show_one(client.calls.get(id), as_json=json)
        return
    rows = client.calls.list(
        sentiment=_or_left_out(sentiment),
        search=_or_left_out(search),
        per_page=min(limit, 100),
    )
    columns = ("id", "started_at", "status", "from_number", "customer_name", "outcome", "sentiment")
    show(islice(rows, limit), columns, as_json=json)


@app.command()
def events(
    type: Annotated[list[str] | None, typer.Option(help="Only this type; repeatable.")] = None,
    since: Annotated[str | None, typer.Option(help="Since this instant, RFC 3339.")] = None,
    limit: Limit = 20,
    json: Json = False,
    sandbox: Sandbox = False,
) -> None:
    """List events, newest first."""
    client = config.connect(sandbox=sandbox)
    rows = client.events.list(
        type=type or NOT_GIVEN,
        since=_or_left_out(since),
        ordering="-created_at",
        per_page=min(limit, 100),
    )
    show(islice(rows, limit), ("id", "type", "created_at"), as_json=json)


@app.command()
def listen(
    forward_to: Annotated[
        str | None, typer.Option(help="URL of a local server, such as http://localhost:3000/hook.")
    ] = None,
    type: Annotated[list[str] | None, typer.Option(help="Only this type; repeatable.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print each event as a line of JSON.")
    ] = False,
    sandbox: Sandbox = False,
) -> None:
    """Show events as they happen and forward them to a local server, signed like webhooks."""
    client = config.connect(sandbox=sandbox)
    forwarder = None
    if forward_to:
        secret = config.listen_secret()
        forwarder = Forwarder(forward_to, secret)
        stderr.print(Text(f"The secret of the signatures: {secret}", style="bold"))
    try:
        for event in _follow(client, type):
            _show_event(event, as_json=json)
            if forwarder:
                _show_response(forwarder.send(event.to_dict()), forwarder.url)
    except KeyboardInterrupt:
        raise typer.Exit from None


@app.command()
def trigger(
    event_type: Annotated[str, typer.Argument(help="Such as appointment.booked.")],
    forward_to: Annotated[
        str | None,
        typer.Option(help="Send an example to this local server, signed; changes nothing."),
    ] = None,
    webhook: Annotated[
        int | None,
        typer.Option(help="Let KaiVox send an example to this endpoint; changes nothing."),
    ] = None,
    sandbox: Sandbox = False,
) -> None:
    """Make an event happen in the sandbox, or send an example of it."""
    client = config.connect(sandbox=sandbox)
    if webhook is not None:
        delivery = client.webhooks.test(webhook, event_type=event_type)
        console.print(f"Delivery {delivery.id} is {delivery.status}.")
    elif forward_to:
        result = Forwarder(forward_to, config.listen_secret()).send(example(client, event_type))
        _show_response(result, forward_to)
        if not result.is_success:
            raise typer.Exit(1)
    else:
        console.print(cause(client, event_type))


def _follow(client: KaiVox, types: list[str] | None) -> Iterator[WebhookEvent]:
    """Events from now on. Continues where it was when the server is reachable again."""
    position = client.events.end()
    stderr.print(Text(f"Listening to {printable(client.business.get().name)}. Ctrl-C ends it."))
    while True:
        try:
            for event, cursor in client.events.follow(type=types, cursor=position):
                yield event
                position = cursor
        except (APIConnectionError, errors.RateLimitError, errors.ServerError) as error:
            stderr.print(Text(f"{printable(str(error))} Trying again.", style="yellow"))
            time.sleep(getattr(error, "retry_after", None) or _RECONNECT_SECONDS)


def _show_event(event: WebhookEvent, *, as_json: bool) -> None:
    if as_json:
        line = json_module.dumps(event.to_dict(), ensure_ascii=False, separators=(",", ":"))
        print(line, flush=True)
        return
    shown = Text(f"{datetime.now():%H:%M:%S} ", style="dim")  # noqa: DTZ005 - the clock on the wall
    shown.append(printable(event.type), style="bold cyan")
    shown.append(f" {printable(event.id)}")
    console.print(shown)


def _show_response(result: Forwarded, url: str) -> None:
    response = str(result.status) if result.status is not None else printable(result.error)
    style = "green" if result.is_success else "red"
    stderr.print(
        Text(f"  {response} ", style=style).append(f"{result.milliseconds} ms {url}", style="dim")
    )


def _or_left_out(value: Any) -> Any:
    return NOT_GIVEN if value is None else value


def _time_arguments(text: str) -> dict[str, Any]:
    """A time with an offset is an instant; one without is in the business's time zone."""
    try:
        value = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time such as '2026-03-02 10:00'.") from None
    if value.tzinfo is not None:
        return {"start_time": value}
    return {"appointment_date": value.date(), "appointment_time": f"{value:%H:%M}"}
