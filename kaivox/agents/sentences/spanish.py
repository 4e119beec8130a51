"""Spanish."""

from __future__ import annotations

from datetime import date, time
from typing import Final

from kaivox.agents.sentences.language import Language

_WEEKDAYS: Final = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_MONTHS: Final = (
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
)

SENTENCES: Final = {
    "open_today": "{business} abre hoy {choices}.",
    "closed_today": "{business} está cerrado hoy.",
    "hours": "de {start} a {end}",
    "offers": "Ofrecemos {choices}.",
    "offers_more": "Ofrecemos {choices}, entre otros.",
    "service": "{service} dura {minutes} minutos y cuesta {price}.",
    "service_without_price": "{service} dura {minutes} minutos.",
    "times_on_day": "El {day} tenemos {choices}. ¿Cuál prefiere?",
    "times": "Tenemos {choices}. ¿Cuál prefiere?",
    "exact_time": "Sí, {time} está libre. ¿Lo reservo?",
    "nearest_times": "{time} no está libre. Tenemos {choices}. ¿Le sirve alguna?",
    "no_times_then_next": "No hay nada libre el {day}. Lo próximo es {time}. ¿Le sirve?",
    "no_times": "Ahora no hay nada libre para {service}. ¿Le tomo un recado?",
    "held": "Le guardo {time}. ¿A nombre de quién lo reservo?",
    "booked": "Tiene su cita de {service} con {staff}: {time}.",
    "booked_party": "Tiene su cita de {service} para {people} personas con {staff}: {time}.",
    "booked_alone": "Tiene su reserva de {service}: {time}.",
    "booked_party_alone": "Tiene su reserva de {service} para {people} personas: {time}.",
    "moved": "Su cita de {service} con {staff} queda ahora así: {time}.",
    "moved_party": "Su cita de {service} con {staff} es ahora para {people} personas: {time}.",
    "moved_alone": "Su reserva de {service} queda ahora así: {time}.",
    "moved_party_alone": "Su reserva de {service} es ahora para {people} personas: {time}.",
    "cancelled": "Su cita de {service}, {time}, queda cancelada.",
    "already_cancelled": "Su cita de {service}, {time}, ya estaba cancelada.",
    "confirmed": "Gracias, su cita de {service}, {time}, queda confirmada.",
    "declined": "He anotado que no puede venir: {time}. ¿La cancelo o busco otra hora?",
    "appointments": "Tiene {choices}.",
    "appointment": "{service}, {time}",
    "no_appointments": "No veo ninguna cita próxima con este número. ¿Tiene otro número?",
    "which_appointment": "¿A cuál se refiere: {choices}?",
    "appointment_unknown": "No encuentro esa cita. ¿Con qué número de teléfono la reservó?",
    "waitlist_joined": "Está en la lista de espera para {service} el {day}. Le avisaremos si queda una hora libre.",
    "waitlist_joined_days": "Está en la lista de espera para {service}, del {day} al {last}. Le avisaremos si queda una hora libre.",
    "already_waiting": "Ya está en la lista de espera. Le avisaremos.",
    "waitlist_full": "La lista de espera está completa en este momento. ¿Quiere dejar un recado?",
    "customer": "Ya le he encontrado, {name}.",
    "customer_unknown": "Todavía no tengo este número. ¿Me dice su nombre?",
    "message_taken": "He pasado su recado. Alguien se pondrá en contacto con usted.",
    "ask_again": "Perdone, no he entendido {field}. ¿Me lo repite?",
    "ask_service": "¿Qué servicio desea: {choices}?",
    "ask_start": "¿Qué día y a qué hora le gustaría?",
    "ask_phone": "¿Cuál es su número de teléfono?",
    "ask_name": "¿Me dice su nombre, por favor?",
    "ask_message": "¿Qué recado quiere dejar?",
    "service_unknown": "No tenemos un servicio llamado {name}. Ofrecemos {choices}. ¿Cuál desea?",
    "service_unclear": "¿Se refiere a {choices}?",
    "staff_unknown": "No tenemos a nadie llamado {name}. Tenemos a {choices}. ¿Con quién desea?",
    "staff_unclear": "¿Se refiere a {choices}?",
    "day_unclear": "Perdone, ¿a qué día se refiere? Hoy es {today}.",
    "day_past": "El {day} ya pasó; hoy es {today}. ¿Qué día le gustaría?",
    "time_unclear": "Perdone, ¿a qué hora le gustaría?",
    "phone_invalid": "Ese número de teléfono no parece correcto. ¿Me lo repite con el prefijo?",
    "slot_unavailable": "{time} ya no está libre. ¿Qué otra hora le gustaría?",
    "outside_working_hours": "{time} está fuera de nuestro horario. ¿Qué otra hora le gustaría?",
    "alternatives": "{time} no está disponible. Tenemos {choices}. ¿Le sirve alguna?",
    "alternatives_to_skipped": "Ese día cambia la hora y esa hora no existe. Tenemos {choices}. ¿Le sirve alguna?",
    "in_the_past": "{time} ya pasó; hoy es {today}. ¿Qué día y a qué hora le gustaría?",
    "too_soon": "{time} es con muy poca antelación. ¿Le sirve más tarde?",
    "too_far_ahead": "{time} es demasiado adelante para reservar. ¿Le sirve un día antes?",
    "nonexistent_local_time": "Ese día cambia la hora y esa hora no existe. ¿Qué otra hora le gustaría?",
    "party_too_large": "No podemos recibir juntas a {people} personas para {service}. ¿Le sirve un grupo más pequeño?",
    "staff_not_qualified": "{staff} no ofrece {service}. ¿Lo reservo con otra persona?",
    "nobody_offers": "Ahora nadie ofrece {service}. ¿Desea otra cosa?",
    "inactive": "Eso ya no se puede reservar. ¿Desea otra cosa?",
    "hold_expired": "La hora ya no está guardada. ¿Busco otra vez horas libres?",
    "hold_mismatch": "La hora guardada es otra. ¿Qué hora le gustaría?",
    "invalid_transition": "Esa cita ya no se puede cambiar. ¿Le reservo una nueva?",
    "too_late_to_change": "Ya es tarde para cambiar esa cita desde aquí. ¿Le tomo un recado para el equipo?",
    "customer_erased": "No puedo reservar con este número. ¿Le tomo un recado para el equipo?",
    "insufficient_scope": "No puedo hacer eso en esta línea. ¿Le tomo un recado?",
    "unknown_tool": "Perdone, eso no lo puedo hacer aquí. ¿Le ayudo con una cita?",
    "too_many_requests": "Necesito un momento. No cuelgue, por favor; lo intento enseguida.",
    "service_unavailable": "Necesito un momento. No cuelgue, por favor; lo intento enseguida.",
    "failed": "Perdone, no ha funcionado. ¿Le tomo un recado para el equipo?",
}


def _day(day: date, with_year: bool) -> str:
    text = f"{_WEEKDAYS[day.weekday()]} {day.day} de {_MONTHS[day.month - 1]}"
    return f"{text} de {day.year}" if with_year else text


def _clock(clock: time) -> str:
    if clock.hour == 0 or clock.hour >= 20:
        part = "de la noche"
    else:
        part = "de la mañana" if clock.hour < 12 else "de la tarde"
    hour = clock.hour % 12 or 12
    return f"{hour}:{clock.minute:02} {part}" if clock.minute else f"{hour} {part}"


def _moment(day: str, clock: str) -> str:
    one = clock.startswith(("1 ", "1:"))
    return f"{day} a {'la' if one else 'las'} {clock}"


SPANISH: Final = Language(
    code="es",
    sentences=SENTENCES,
    words={"and": "y", "or": "o"},
    fields={
        "service": "el servicio",
        "staff": "el nombre",
        "day": "el día",
        "until": "el día",
        "time": "la hora",
        "start": "el día y la hora",
        "part_of_day": "la parte del día",
        "party_size": "cuántas personas",
        "phone": "el teléfono",
        "name": "su nombre",
        "reason": "el motivo",
        "notes": "eso",
        "message": "el recado",
        "hold_id": "eso",
        "appointment_id": "qué cita",
        "answer": "si va a venir",
    },
    currencies={"INR": "rupias", "USD": "dólares", "GBP": "libras", "EUR": "euros"},
    weekdays=_WEEKDAYS,
    months=_MONTHS,
    day=_day,
    clock=_clock,
    moment=_moment,
)
