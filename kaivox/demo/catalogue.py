"""The demo businesses: their services, staff, working hours, resources and customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(7)


@dataclass(frozen=True)
class DemoService:
    name: str
    description: str
    minutes: int
    price: Decimal
    buffer_before: int = 0
    buffer_after: int = 0
    # Hours before the start until which it can be cancelled or moved; None: at any time.
    window: int | None = None
    # Seats. The hours of those who teach a class are its timetable: each shift is one session.
    capacity: int = 1
    resource_kinds: Sequence[str] = ()
    # Where it needs no staff, its appointments are planned in the hours of those who would perform it.
    needs_staff: bool = True


@dataclass(frozen=True)
class Shift:
    """The same hours on some weekdays, with a pause; minutes of the day."""

    weekdays: Sequence[int]
    start: int
    end: int
    pause: tuple[int, int] | None = None


@dataclass(frozen=True)
class DemoResource:
    """Without `shift` it is always open."""

    name: str
    kind: str
    capacity: int = 1
    shift: Shift | None = None


@dataclass(frozen=True)
class DemoStaff:
    name: str
    specialty: str
    services: Sequence[str]
    shifts: Sequence[Shift]


@dataclass(frozen=True)
class DemoSeries:
    """So many weekly appointments of one customer; `start` is a minute of the day."""

    service: str
    staff: str
    weekday: int
    start: int
    number: int


@dataclass(frozen=True)
class DemoCalendar:
    """A calendar elsewhere that blocks the same time on some weekdays; minutes of the day."""

    staff: str
    name: str
    url: str
    weekdays: Sequence[int]
    start: int
    end: int
    is_stale: bool = False


@dataclass(frozen=True)
class DemoBusiness:
    """`holidays` are (month, day, name); `mobile` is the format of its customers' numbers, in ranges
    reserved for fiction where the country has such. `parties` are sizes of parties, each as likely as
    the others; `visit` the services of a visit."""

    slug: str
    settings: dict[str, Any]
    agent: str
    phone: str
    services: Sequence[DemoService]
    staff: Sequence[DemoStaff]
    holidays: Sequence[tuple[int, int, str]]
    people: Sequence[str]
    mobile: str
    resources: Sequence[DemoResource] = ()
    parties: Sequence[int] = (1,)
    visit: Sequence[str] = ()
    series: DemoSeries | None = None
    calendars: Sequence[DemoCalendar] = ()

    @property
    def customers(self) -> list[str]:
        """Twice as many as `people`: each first name once more with another's last name."""
        firsts, lasts = zip(*(name.split(" ", 1) for name in self.people), strict=True)
        mixed = [
            f"{first} {lasts[(index + len(lasts) // 2) % len(lasts)]}"
            for index, first in enumerate(firsts)
        ]
        return [*self.people, *mixed]


def clock(hours: int, minutes: int = 0) -> int:
    return hours * 60 + minutes


def price(text: str) -> Decimal:
    return Decimal(text)


_CLINIC_DAYS: Final = (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY)
_CLINIC: Final = Shift(_CLINIC_DAYS, clock(9), clock(18), (clock(13), clock(14)))
_SALON_DAYS: Final = (TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY)
_EVERY_DAY: Final = tuple(range(7))

SMILE_DENTAL: Final = DemoBusiness(
    slug="smile-dental",
    settings={
        "name": "Smile Dental Care",
        "timezone": "Asia/Kolkata",
        "country": "IN",
        "currency": "INR",
        "plan": "starter",
        "contact_email": "front-desk@smile-dental.example",
        "slot_interval_minutes": 15,
    },
    agent="Asha",
    phone="+918045671200",
    services=(
        DemoService("Check-up", "Examination, X-ray if needed, and advice.", 30, price("500.00")),
        DemoService(
            "Scaling and polishing", "Removes plaque and stains.", 45, price("1500.00"), 0, 15,
            resource_kinds=("treatment_chair",),
        ),
        DemoService(
            "Filling", "Tooth-coloured composite filling.", 45, price("1800.00"), 5, 10,
            resource_kinds=("treatment_chair",),
        ),
        DemoService(
            "Root canal treatment", "One sitting, under local anaesthesia.", 90, price("6500.00"),
            10, 15, window=24, resource_kinds=("treatment_chair",),
        ),
        DemoService(
            "Teeth whitening", "In-clinic light whitening.", 60, price("7000.00"), 0, 15,
            resource_kinds=("treatment_chair",),
        ),
        DemoService("Braces consultation", "Which braces, how long, what cost.", 30, price("800.00")),
        DemoService("Children's check-up", "For patients up to 12 years.", 30, price("400.00")),
    ),
    staff=(
        DemoStaff(
            "Dr. Ananya Rao", "Orthodontics",
            ("Check-up", "Braces consultation", "Teeth whitening"), (_CLINIC,),
        ),
        DemoStaff(
            "Dr. Vikram Mehta", "Endodontics", ("Check-up", "Filling", "Root canal treatment"),
            (_CLINIC,),
        ),
        DemoStaff(
            "Dr. Farah Sheikh", "Paediatric dentistry",
            ("Check-up", "Children's check-up", "Filling"),
            (Shift(_CLINIC_DAYS[:5], clock(10), clock(19), (clock(14), clock(15))),),
        ),
        DemoStaff(
            "Priya Nair", "Dental hygiene", ("Scaling and polishing", "Teeth whitening"),
            (_CLINIC,),
        ),
    ),
    holidays=(
        (1, 26, "Republic Day"), (8, 15, "Independence Day"), (10, 2, "Gandhi Jayanti"),
        (12, 25, "Christmas Day"),
    ),
    people=(
        "Aarav Sharma", "Aditi Kulkarni", "Arjun Reddy", "Deepa Menon", "Divya Pillai",
        "Gaurav Singh", "Harini Subramanian", "Imran Qureshi", "Ishaan Verma", "Kavya Iyer",
        "Lakshmi Narayanan", "Manoj Patil", "Meera Joshi", "Mohammed Faisal", "Neha Gupta",
        "Nikhil Desai", "Pooja Bhat", "Rahul Khanna", "Rajesh Kumar", "Ritu Agarwal",
        "Rohan Chatterjee", "Sanjana Hegde", "Shreya Das", "Sneha Thomas", "Suresh Babu",
        "Tanvi Shah", "Uma Krishnan", "Varun Malhotra", "Vidya Rajan", "Zoya Ansari",
    ),
    mobile="+9198450{:05d}",
    resources=(
        DemoResource("Treatment chair 1", "treatment_chair"),
        DemoResource("Treatment chair 2", "treatment_chair"),
    ),
    calendars=(
        DemoCalendar(
            "Dr. Vikram Mehta", "City Hospital rota",
            "https://rota.city-hospital.example/vikram-mehta/on-call-5e1c.ics",
            (TUESDAY, THURSDAY), clock(16), clock(18),
        ),
        DemoCalendar(
            "Priya Nair", "College timetable",
            "https://timetable.city-college.example/private-77b0/term.ics",
            (WEDNESDAY,), clock(16), clock(18), is_stale=True,
        ),
    ),
)  # fmt: skip

STUDIO_NINE: Final = DemoBusiness(
    slug="studio-nine",
    settings={
        "name": "Studio Nine",
        "timezone": "America/New_York",
        "country": "US",
        "currency": "USD",
        "plan": "pro",
        "contact_email": "hello@studio-nine.example",
        "minimum_notice_minutes": 60,
    },
    agent="Nina",
    phone="+12125550109",
    services=(
        DemoService("Cut and style", "Wash, cut and blow-dry.", 60, price("85.00"), 0, 5),
        DemoService("Short cut", "Clipper or scissors.", 30, price("45.00")),
        DemoService(
            "Full color", "Root to tip, with toner.", 120, price("160.00"), 0, 15, window=48
        ),
        DemoService("Highlights", "Half head, foils.", 150, price("220.00"), 0, 15, window=48),
        DemoService("Blowout", "Wash and blow-dry.", 45, price("55.00")),
        DemoService("Beard trim", "With a hot towel.", 20, price("25.00")),
    ),
    staff=(
        DemoStaff(
            "Maya Torres", "Color",
            ("Cut and style", "Full color", "Highlights", "Blowout"),
            (Shift(_SALON_DAYS, clock(10), clock(19), (clock(14), clock(14, 30))),),
        ),
        DemoStaff(
            "Jordan Blake", "Barbering", ("Short cut", "Beard trim", "Cut and style"),
            (
                Shift(_SALON_DAYS, clock(9), clock(17), (clock(12, 30), clock(13))),
                Shift((SUNDAY,), clock(11), clock(16)),
            ),
        ),
        DemoStaff(
            "Chloe Bennett", "Styling", ("Cut and style", "Blowout", "Full color"),
            (
                Shift((WEDNESDAY, THURSDAY, FRIDAY), clock(12), clock(20), (clock(16), clock(16, 30))),
                Shift((SATURDAY, SUNDAY), clock(10), clock(16)),
            ),
        ),
    ),
    holidays=((1, 1, "New Year's Day"), (7, 4, "Independence Day"), (12, 25, "Christmas Day")),
    people=(
        "Abigail Foster", "Andre Washington", "Bianca Rossi", "Caleb Morgan", "Danielle Price",
        "Diego Alvarez", "Elena Petrova", "Ethan Brooks", "Grace Kim", "Hannah Weiss",
        "Isaac Romero", "Jasmine Carter", "Kevin O'Donnell", "Leah Goldberg", "Lucas Meyer",
        "Madison Clark", "Marcus Hill", "Naomi Sato", "Olivia Bennett", "Priscilla Gomez",
        "Quinn Harper", "Rachel Stein", "Samuel Ortiz", "Tara Nguyen", "Victor Lopez",
        "Zoe Campbell",
    ),
    mobile="+164655501{:02d}",
    visit=("Full color", "Cut and style"),
    series=DemoSeries("Beard trim", "Jordan Blake", FRIDAY, clock(9), 8),
)  # fmt: skip

PEAK_GYMS: Final = DemoBusiness(
    slug="peak-gyms",
    settings={
        "name": "Peak Gyms",
        "timezone": "Europe/London",
        "country": "GB",
        "currency": "GBP",
        "plan": "enterprise",
        "contact_email": "team@peak-gyms.example",
        "slot_interval_minutes": 30,
    },
    agent="Robin",
    phone="+442079460300",
    services=(
        DemoService("Personal training", "One to one, in the gym.", 60, price("55.00")),
        DemoService("Gym induction", "The first hour of a new member.", 45, price("0.00"), 0, 15),
        DemoService("Physio assessment", "Movement screen and plan.", 45, price("70.00"), 0, 15),
        DemoService("Yoga, one to one", "All levels.", 60, price("50.00")),
        DemoService("Nutrition consultation", "Goals, diary, plan.", 30, price("40.00")),
        DemoService("Spin class", "Intervals, on twelve bikes.", 45, price("14.00"), capacity=12),
        DemoService("Yoga class", "Flow for all levels.", 60, price("12.00"), capacity=10),
    ),
    staff=(
        DemoStaff(
            "Tom Hughes", "Strength", ("Personal training", "Gym induction"),
            (Shift(_EVERY_DAY[:5], clock(6), clock(14), (clock(10), clock(10, 30))),),
        ),
        DemoStaff(
            "Aisha Khan", "Conditioning", ("Personal training", "Gym induction"),
            (Shift(_EVERY_DAY[:5], clock(13), clock(21), (clock(17), clock(17, 30))),),
        ),
        DemoStaff(
            "Callum Reid", "Physiotherapy", ("Physio assessment",),
            (Shift((MONDAY, WEDNESDAY, FRIDAY), clock(9), clock(17), (clock(12), clock(13))),),
        ),
        DemoStaff(
            "Sofia Marino", "Yoga", ("Yoga, one to one",),
            (
                Shift((TUESDAY, THURSDAY), clock(7), clock(13)),
                Shift((TUESDAY, THURSDAY), clock(16), clock(20)),
                Shift((SATURDAY, SUNDAY), clock(8), clock(14)),
            ),
        ),
        DemoStaff(
            "Daniel Okafor", "Nutrition", ("Nutrition consultation", "Personal training"),
            (Shift((MONDAY, TUESDAY, THURSDAY, SATURDAY), clock(8), clock(16), (clock(12), clock(12, 30))),),
        ),
        DemoStaff(
            "Megan Lloyd", "Spin", ("Spin class",),
            (
                Shift((MONDAY, WEDNESDAY, FRIDAY), clock(18), clock(18, 45)),
                Shift((SATURDAY,), clock(9), clock(9, 45)),
            ),
        ),
        DemoStaff(
            "Arun Das", "Yoga", ("Yoga class",),
            (
                Shift((TUESDAY, THURSDAY), clock(18, 30), clock(19, 30)),
                Shift((SUNDAY,), clock(10), clock(11)),
            ),
        ),
    ),
    holidays=((1, 1, "New Year's Day"), (12, 25, "Christmas Day"), (12, 26, "Boxing Day")),
    people=(
        "Alfie Turner", "Amelia Ward", "Ben Whitaker", "Charlotte Evans", "Chidi Nwosu",
        "Daisy Clarke", "Eleanor Shaw", "Finlay Murray", "Freya Robinson", "George Patel",
        "Hannah Doyle", "Harry Lawson", "Imogen Price", "Isla MacDonald", "Jack Thornton",
        "Jasper Cole", "Keira Bell", "Leo Fitzgerald", "Lily Hudson", "Mohammed Ali",
        "Niamh Gallagher", "Oliver Grant", "Poppy Saunders", "Ravi Nair", "Rosie Barnes",
        "Samira Hussain", "Theo Marshall", "Yasmin Ahmed",
    ),
    mobile="+447700900{:03d}",
)  # fmt: skip

_MEALS: Final = Shift(
    (TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY),
    clock(13), clock(23, 30), (clock(16, 30), clock(20)),
)  # fmt: skip

# A table is booked without staff. A tasting menu takes a waiter too, and each waiter one party at a time.
CASA_VERDE: Final = DemoBusiness(
    slug="casa-verde",
    settings={
        "name": "Casa Verde",
        "timezone": "Europe/Madrid",
        "country": "ES",
        "currency": "EUR",
        "plan": "pro",
        "contact_email": "mesas@casa-verde.example",
        "slot_interval_minutes": 30,
    },
    agent="Vera",
    phone="+34910000400",
    services=(
        DemoService(
            "Table", "Lunch or dinner from the menu.", 90, price("0.00"), resource_kinds=("table",),
            needs_staff=False,
        ),
        DemoService(
            "Tasting menu", "Nine courses; the price is the deposit for the table.", 150,
            price("30.00"), window=24, resource_kinds=("table",),
        ),
    ),
    staff=tuple(
        DemoStaff(name, "Waiter", ("Table", "Tasting menu"), (_MEALS,))
        for name in ("Carmen Ortega", "Pablo Serrano", "Irene Vidal", "Hugo Castro")
    ),
    holidays=((1, 1, "New Year's Day"), (1, 6, "Epiphany"), (12, 25, "Christmas Day")),
    people=(
        "Adriana Molina", "Alejandro Ruiz", "Beatriz Navarro", "Carlos Herrera", "Clara Iglesias",
        "David Moreno", "Diana Campos", "Eduardo Santos", "Elvira Prieto", "Fernando Gil",
        "Gabriela Reyes", "Gonzalo Medina", "Helena Rubio", "Ignacio Blanco", "Javier Dominguez",
        "Julia Marin", "Laura Cano", "Lorenzo Vega", "Marta Soler", "Miguel Fuentes",
        "Nuria Pascual", "Oscar Delgado", "Paula Crespo", "Raquel Vicente", "Sergio Lozano",
        "Teresa Arias",
    ),
    mobile="+34600000{:03d}",
    resources=(
        DemoResource("Table 1, window", "table", 2, _MEALS),
        DemoResource("Table 2", "table", 2, _MEALS),
        DemoResource("Table 3", "table", 4, _MEALS),
        DemoResource("Table 4", "table", 4, _MEALS),
        DemoResource("Table 5, terrace", "table", 4, _MEALS),
        DemoResource("Table 6, round", "table", 6, _MEALS),
    ),
    parties=(2, 2, 2, 3, 4, 4, 5, 6),
)  # fmt: skip

BUSINESSES: Final = (SMILE_DENTAL, STUDIO_NINE, PEAK_GYMS, CASA_VERDE)
