"""Words of the made-up job site: occupations, places, levels, names of companies."""

from itertools import product
from typing import Final, NamedTuple


class Occupation(NamedTuple):
    """A function with what belongs to it; `salary` is that of the middle level, in dollars a year."""

    function: str
    industry: str
    salary: int
    roles: tuple[str, ...]
    fields: tuple[str, ...]
    skills: tuple[str, ...]


OCCUPATIONS: Final = (
    Occupation("Nursing", "Health Care", 78_000,
               ("Registered Nurse", "Intensive Care Nurse", "Nurse Practitioner", "Pediatric Nurse", "Home Nurse"),
               ("Oncology", "Cardiology", "Night Shift", "Geriatrics"),
               ("patient care", "triage", "medication administration", "BLS", "charting")),
    Occupation("Software Engineering", "Technology", 128_000,
               ("Backend Engineer", "Frontend Developer", "Data Engineer", "Reliability Engineer", "Mobile Developer"),
               ("Payments", "Search", "Infrastructure", "Machine Learning"),
               ("python", "kubernetes", "sql", "react", "kafka")),
    Occupation("Sales", "Retail", 64_000,
               ("Account Executive", "Sales Representative", "Store Manager", "Inside Sales Associate", "Buyer"),
               ("Furniture", "Fashion", "Electronics", "Wholesale"),
               ("negotiation", "prospecting", "crm", "merchandising", "forecasting")),
    Occupation("Accounting", "Financial Services", 76_000,
               ("Staff Accountant", "Tax Advisor", "Payroll Specialist", "Internal Auditor", "Controller"),
               ("Insurance", "Real Estate", "Nonprofit", "Small Business"),
               ("bookkeeping", "gaap", "excel", "reconciliation", "tax law")),
    Occupation("Teaching", "Education", 58_000,
               ("Elementary School Teacher", "Math Teacher", "Special Education Teacher", "Music Teacher", "Tutor"),
               ("Summer School", "Bilingual", "Charter School", "Online"),
               ("lesson planning", "classroom management", "assessment", "mentoring", "curriculum design")),
    Occupation("Logistics", "Transportation", 52_000,
               ("Truck Driver", "Warehouse Associate", "Dispatcher", "Supply Planner", "Forklift Operator"),
               ("Cold Chain", "Air Freight", "Parcels", "Hazardous Goods"),
               ("route planning", "inventory", "safety", "scheduling", "commercial licence")),
    Occupation("Hospitality", "Food and Beverages", 41_000,
               ("Line Cook", "Bartender", "Hotel Receptionist", "Restaurant Manager", "Pastry Chef"),
               ("Banquets", "Resort", "Airport", "Bistro"),
               ("food safety", "guest service", "menu planning", "cash handling", "event catering")),
    Occupation("Construction", "Building", 61_000,
               ("Electrician", "Carpenter", "Site Supervisor", "Plumber", "Crane Operator"),
               ("Residential", "Highways", "Solar", "Renovation"),
               ("blueprints", "wiring", "welding", "cost estimation", "osha")),
    Occupation("Marketing", "Media", 72_000,
               ("Content Strategist", "Brand Manager", "Search Marketing Specialist", "Copywriter", "Campaign Planner"),
               ("Gaming", "Publishing", "Television", "Startups"),
               ("copywriting", "seo", "analytics", "social media", "campaigns")),
    Occupation("Human Resources", "Business Services", 69_000,
               ("Recruiter", "People Partner", "Compensation Analyst", "Training Specialist", "Office Manager"),
               ("Campus", "Executive", "Relocation", "Labor Relations"),
               ("interviewing", "onboarding", "labor law", "coaching", "benefits")),
)  # fmt: skip
FUNCTIONS: Final = len(OCCUPATIONS)
ROLES: Final = 5  # of each occupation
FIELDS: Final = 4
SKILLS: Final = 5

PLACES: Final = (
    ("OH", ("Columbus", "Cleveland", "Cincinnati")), ("TX", ("Austin", "Houston", "Dallas")),
    ("CA", ("Oakland", "San Diego", "Fresno")), ("NY", ("Buffalo", "Albany", "Rochester")),
    ("FL", ("Tampa", "Orlando", "Miami")), ("WA", ("Seattle", "Spokane", "Tacoma")),
    ("IL", ("Chicago", "Peoria", "Springfield")), ("MA", ("Boston", "Worcester", "Lowell")),
)  # fmt: skip
REGIONS: Final = len(PLACES)
CITIES: Final = 3  # of each region


class Level(NamedTuple):
    """A step of a career: its name, how titles begin with it, and its pay beside that of the middle level."""

    name: str
    prefix: str
    pay: float


LEVELS: Final = (
    Level("Entry", "Junior", 0.75), Level("Associate", "", 1.0), Level("Senior", "Senior", 1.3), Level("Lead", "Lead", 1.6)
)  # fmt: skip

_FIRST: Final = (
    "North", "Blue", "Silver", "Oak", "River", "Summit", "Harbor", "Bright", "Iron", "Maple", "Clear", "Stone", "Golden",
    "Cedar", "Prairie", "Granite", "Lake", "Swift", "Amber", "Copper",
)  # fmt: skip
_SECOND: Final = ("field", "bridge", "works", "line", "point", "gate", "view", "crest", "port", "wood")
_LAST: Final = (
    "",
    " Group",
    " Partners",
    " & Sons",
    " Services",
    " Holdings",
    " Collective",
    " United",
    " West",
    " East",
)
COMPANY_NAMES: Final = tuple(f"{first}{second}{last}" for last, second, first in product(_LAST, _SECOND, _FIRST))


def title_of(function: int, role: int, level: int, field: int) -> str:
    """Title of a job; `field` -1 is none.

    Examples
    --------
    >>> title_of(0, 1, 2, 0), title_of(0, 1, 1, -1)
    ('Senior Intensive Care Nurse, Oncology', 'Intensive Care Nurse')
    """
    occupation = OCCUPATIONS[function]
    title = f"{LEVELS[level].prefix} {occupation.roles[role]}".strip()
    return title if field < 0 else f"{title}, {occupation.fields[field]}"


def skills_of(function: int, mask: int) -> tuple[str, ...]:
    """Names of the skills whose bits are set.

    Examples
    --------
    >>> skills_of(1, 0b10100)
    ('sql', 'kafka')
    """
    return tuple(skill for bit, skill in enumerate(OCCUPATIONS[function].skills) if mask >> bit & 1)
