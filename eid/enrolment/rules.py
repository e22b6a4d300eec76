"""A country's rules: ages, validity, fees, papers and deadlines, out of one TOML file, asked with a date."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Final, Literal, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from eid.codec.toml import decode_toml
from eid.country_files import RULES, find_country_file, find_places
from eid.enrolment.appointment_rules import AppointmentRules, Category, Service
from eid.enrolment.stamp import StampScheme
from eid.enrolment.wall_time import known_zone
from eid.errors import DecodeError, RecordError, StoreError
from eid.identity import DETAIL_CODE, DETAILS_LIMIT, FINGERS, TEXT_LIMIT
from eid.locale.scripts import known_script

FORMAT: Final = "eid-enrolment-rules"
OldCard = Literal[
    "none", "supersede", "data-changed", "revoke-lost", "revoke-stolen", "revoke-damaged", "revoke-defect"
]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]  # ISO 639
Script = Annotated[str, AfterValidator(known_script)]
FINGER: Final = f"^({'|'.join(FINGERS)})$"


def _pattern(text: str) -> str:
    try:
        re.compile(text, re.ASCII)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
RecordField = Literal[
    "family_name",
    "given_names",
    "partner",
    "date_of_birth",
    "place_of_birth",
    "country_of_birth",
    "sex",
    "nationality",
    "personal_number",
    "father",
    "mother",
    "civil_status",
    "address",
    "contact",
]
OF_EVERY_DOCUMENT: Final = frozenset(("family_name", "date_of_birth", "sex", "nationality"))  # Doc 9303-3 4.1
Text = Literal["family_name", "given_names", "partner", "place_of_birth", "father", "mother", "address"]
Form = Literal["civil_status", "postal_code", "commune", "province", "region"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ages(_Table):
    """Ages in full years, in force from a day on."""

    starts: date = Field(alias="from")
    mandatory: int = Field(ge=0, le=120)
    fingerprints: int = Field(ge=0, le=120)
    guardian_below: int = Field(ge=0, le=120)


class Validity(_Table):
    """For how long a card is issued, to persons below an age or to everybody else."""

    starts: date = Field(alias="from")
    below_age: int | None = None
    years: int = Field(ge=1, le=50)
    until_age: int | None = None


class Fee(_Table):
    """What a service costs, in whole units of the currency, persons below an age or everybody else."""

    service: Code
    starts: date = Field(alias="from")
    below_age: int | None = None
    amount: int = Field(ge=0)


class Stamps(_Table):
    """How stamps are made.

    Args:
        at_counters: services whose files lie in other systems; a counter spends their stamps. order_minutes: how long
            an order may be paid. decimals: amounts everywhere are in units of so many decimal places of the currency.
    """

    scheme: StampScheme
    decimals: int = Field(default=0, ge=0, le=4)
    at_counters: tuple[str, ...] = ()
    order_minutes: int = Field(ge=1)
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Deadlines(_Table):
    """In days."""

    information: int = Field(ge=1)
    appeal: int = Field(ge=1)
    uncollected: int = Field(ge=1)
    draft: int = Field(ge=1)
    decision: int = Field(ge=1)


class Retention(_Table):
    """How many days what is kept; after them it is erased.

    Args:
        never_submitted: after a draft was given up. ended: after an application was withdrawn, lapsed or was cancelled.
        refused: after a refusal that no appeal is open against. papers, biometrics: after the card was handed over.
        identity: everything, after the last day of the last card.
    """

    never_submitted: int = Field(ge=1)
    ended: int = Field(ge=1)
    refused: int = Field(ge=1)
    papers: int = Field(ge=1)
    biometrics: int = Field(ge=1)
    identity: int = Field(ge=1)


class PaperLimits(_Table):
    """What may be uploaded: octets of a file, media types. requests: how often an officer may ask for more papers."""

    requests: int = Field(ge=0, le=20)
    max_octets: int = Field(ge=1)
    types: tuple[str, ...]


class Paper(_Table):
    """A kind of supporting document; fresh_days: how old it may be, None where that does not count."""

    code: Code
    title: dict[str, str]
    fresh_days: int | None = Field(default=None, ge=1)


class Detail(_Table):
    """A field that the country's records have beside those of all countries.

    Args:
        code: its name in the record, and in card profiles as details.CODE. title: for people, by language. form: of the
            whole text, a regular expression. script: of its letters. required: whether an application must state it.
        on_card: whether it goes into the record from which the card is made; the profile says to which place.
    """

    code: Annotated[str, Field(pattern=DETAIL_CODE)]
    title: dict[str, str]
    form: Pattern = f".{{1,{TEXT_LIMIT}}}"
    script: Script = "latin"
    required: bool = False
    on_card: bool = False


class RecordRules(_Table):
    """Of the identity record.

    Args:
        required: what an application must state. optional: what it may state besides; all else is refused. A guardian
            is stated whenever one is due. detail: fields of the country's own.
        sexes: those that the civil status knows, as a machine-readable zone says them.
        limits: how many characters a text has in each script, where that is fewer than `eid.identity.TEXT_LIMIT`.
        forms: of codes, regular expressions, where they are narrower than `eid.enrolment.person` has them.
        scripts: in which every name and address stands; the machine-readable zone wants Latin, and of the others the
            first stands beside it on the card. other_scripts: taken where the civil status has them.
        compared: fields in which an application may differ from the register for a reason alone. reconciliations: other
            reasons, by code, that an officer may state.
        name_sources: papers that names are copied from, the one that counts most first.
        partners: what the mention of a wife or husband may say; the card's layout has the words.
        titles: words before a name that are none of its parts, an officer is warned of them. given_names: so many are
            usual. articles: before a family name, which is found without them, too.
    """

    required: tuple[RecordField, ...]
    optional: tuple[RecordField, ...] = ()
    detail: Annotated[tuple[Detail, ...], Field(max_length=DETAILS_LIMIT)] = ()
    sexes: Annotated[tuple[Literal["M", "F", "X"], ...], Field(min_length=1)] = ("M", "F", "X")
    limits: dict[Text, Annotated[int, Field(ge=1, le=TEXT_LIMIT)]] = {}
    forms: dict[Form, Pattern] = {}
    scripts: tuple[Script, ...]
    other_scripts: tuple[Script, ...] = ()
    compared: tuple[RecordField, ...]
    reconciliations: tuple[Code, ...]
    name_sources: tuple[Code, ...]
    partners: tuple[Annotated[str, Field(pattern=r"^[a-z]{1,16}$")], ...] = ()
    titles: tuple[str, ...] = ()
    given_names: int = Field(default=2, ge=1, le=20)
    articles: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _latin_is_there(self) -> RecordRules:
        if "latin" not in self.scripts:
            raise ValueError("scripts has no latin, of which the machine-readable zone is written")
        return self

    @model_validator(mode="after")
    def _fields_are_clear(self) -> RecordRules:
        if set(self.required) & set(self.optional):
            raise ValueError("a field is required and optional")
        if left := sorted(OF_EVERY_DOCUMENT - set(self.required)):
            raise ValueError(f"{left[0]} is not required, and no document is without it (Doc 9303-3 4.1)")
        codes = [item.code for item in self.detail]
        if len(set(codes)) != len(codes):
            raise ValueError("two details have one code")
        return self

    @property
    def known_fields(self) -> frozenset[str]:
        """The fields that are taken, those of the country's own and a minor's guardian left aside."""
        return frozenset((*self.required, *self.optional))

    def find_detail(self, code: str) -> Detail | None:
        """The field of the country's own with this code."""
        return next((item for item in self.detail if item.code == code), None)

    @property
    def all_scripts(self) -> tuple[str, ...]:
        """Those that are taken."""
        return (*self.scripts, *self.other_scripts)

    @property
    def own_script(self) -> str:
        """The script beside the Latin one on the card; "" where there is none."""
        return next((script for script in self.scripts if script != "latin"), "")


class Capacity(_Table):
    """As what somebody applies for a minor, such as mother; papers: that show it.

    Args:
        has_end: whether it was given until a day, which must be stated.
    """

    code: Code
    title: dict[str, str]
    papers: tuple[Code, ...] = ()
    has_end: bool = False


class Minors(_Table):
    """Of persons for whom somebody else applies.

    Args:
        papers: wanted besides those of the reason, whoever applies. capacity: as what one may apply for a minor.
    """

    papers: tuple[Code, ...] = ()
    capacity: tuple[Capacity, ...] = ()

    @property
    def all_papers(self) -> tuple[str, ...]:
        """Every paper that may be wanted of a minor's guardian."""
        return (*self.papers, *(code for row in self.capacity for code in row.papers))

    def find_capacity(self, code: str) -> Capacity | None:
        """The capacity with this code."""
        return next((row for row in self.capacity if row.code == code), None)


class Osia(_Table):
    """What OSIA's codes mean here: papers by document type, reasons by request type."""

    papers: dict[Literal["ID_CARD", "PASSPORT", "INVOICE", "BIRTH_CERTIFICATE", "FORM"], Code] = {}
    requests: dict[Literal["FIRST_ISSUANCE", "RENEWAL", "REPLACEMENT"], Code] = {}


class Reason(_Table):
    """Why a card is issued: papers wanted anywhere, at home, abroad; whether a fee is due; the fate of the old card.

    Args:
        explains: fields in which the application may differ from the register for this very reason.
    """

    code: Code
    explains: tuple[RecordField, ...] = ()
    papers: tuple[Code, ...]
    home: tuple[Code, ...] = ()
    abroad: tuple[Code, ...] = ()
    fee: bool = True
    old_card: OldCard


class Issuer(_Table):
    """Who issues: its name as it stands on the card, by script, and which product; letters of its numbers.

    Args:
        profile: the card profile. number: how a document number begins, and how many letters or digits follow.
    """

    name: dict[Script, str]
    profile: Code
    number_prefix: Annotated[str, Field(pattern=r"^[A-Z0-9]{0,8}$")]
    number_length: int = Field(ge=4, le=20)


class CaptureRules(_Table):
    """What is taken of a person, and how good it must be.

    Args:
        fingers: in order of preference, of which `fingers_wanted` are taken, and `fingers_on_card` of these go on the
            chip, where the product has a place for them. finger_quality: the lowest NFIQ 2 value
            that is taken at once; a worse one only after `attempts`. portrait_width, portrait_height: pixels, at least.
        card_portrait_octets: of the portrait on the chip, at most. days_late: how long after a capture its record is
            taken in, for units that work without a connection.
    """

    fingers: tuple[Annotated[str, Field(pattern=FINGER)], ...] = Field(min_length=1)
    fingers_wanted: int = Field(ge=1, le=10)
    fingers_on_card: int = Field(ge=0, le=10)
    finger_quality: int = Field(ge=0, le=100)
    attempts: int = Field(ge=1, le=20)
    portrait_width: int = Field(ge=1)
    portrait_height: int = Field(ge=1)
    card_portrait_octets: int = Field(ge=2000, le=100_000)
    days_late: int = Field(ge=0)


class RefusalCode(_Table):
    """Why an application is refused; appeal: whether another look can be asked for."""

    code: Code
    title: dict[str, str]
    appeal: bool = True


class _Dated(Protocol):
    @property
    def starts(self) -> date: ...


D = TypeVar("D", bound=_Dated)


class EnrolmentRules(_Table):
    """The rules of one country."""

    format: Literal["eid-enrolment-rules"]
    version: Literal[1]
    country: Annotated[str, Field(pattern=r"^[A-Z]{1,3}$")]
    title: str
    time_zone: Annotated[str, AfterValidator(known_zone)]
    languages: tuple[LanguageCode, ...] = Field(min_length=1)
    phone: str
    personal_number: str
    new_personal_number: Annotated[str, Field(pattern=r"^([A-Z0-9]*#[A-Z0-9#]*)?$", max_length=20)] = ""
    issuer: Issuer
    ages: tuple[Ages, ...]
    validity: tuple[Validity, ...]
    stamps: Stamps
    fees: tuple[Fee, ...]
    deadlines: Deadlines
    retention: Retention
    capture: CaptureRules
    appointments: AppointmentRules
    papers: PaperLimits
    record: RecordRules
    minors: Minors = Minors()
    osia: Osia = Osia()
    paper: tuple[Paper, ...]
    reason: tuple[Reason, ...] = Field(min_length=1)
    refusal: tuple[RefusalCode, ...]

    @model_validator(mode="after")
    def _names_exist(self) -> EnrolmentRules:
        known = {item.code for item in self.paper}
        for reason in self.reason:
            for code in (*reason.papers, *reason.home, *reason.abroad):
                if code not in known:
                    raise ValueError(f"reason {reason.code} wants the paper {code}, which is not described")
            if not set(self.record.compared).issuperset(reason.explains):
                raise ValueError(f"reason {reason.code} explains a field that record.compared does not have")
        for code in (*self.minors.all_papers, *self.record.name_sources, *self.osia.papers.values()):
            if code not in known:
                raise ValueError(f"the paper {code} is not described")
        if not {reason.code for reason in self.reason}.issuperset(self.osia.requests.values()):
            raise ValueError("osia.requests names a reason that there is not")
        return self

    @model_validator(mode="after")
    def _titles_are_in_every_language(self) -> EnrolmentRules:
        titled = (
            *(("paper", row.code, row.title) for row in self.paper),
            *(("refusal", row.code, row.title) for row in self.refusal),
            *(("capacity", row.code, row.title) for row in self.minors.capacity),
            *(("detail", row.code, row.title) for row in self.record.detail),
        )
        for kind, code, title in titled:
            if set(title) != set(self.languages):
                raise ValueError(f"{kind} {code} has no title in every language")
        return self

    @model_validator(mode="after")
    def _minors_have_guardians(self) -> EnrolmentRules:
        codes = [row.code for row in self.minors.capacity]
        if len(set(codes)) != len(codes):
            raise ValueError("two capacities of minors.capacity have one code")
        if not codes and any(row.guardian_below for row in self.ages):
            raise ValueError("minors.capacity is empty, and nobody could apply for a minor")
        return self

    @model_validator(mode="after")
    def _issuer_is_named(self) -> EnrolmentRules:
        if set(self.issuer.name) != {"latin", self.record.own_script or "latin"}:
            raise ValueError("issuer.name has another script than those of the card")
        return self

    @model_validator(mode="after")
    def _counters_have_fees(self) -> EnrolmentRules:
        if not {row.service for row in self.fees}.issuperset(self.stamps.at_counters):
            raise ValueError("a service of at_counters has no fee")
        return self

    @model_validator(mode="after")
    def _appointments_fit(self) -> EnrolmentRules:
        papers, reasons = ({item.code for item in rows} for rows in (self.paper, self.reason))
        for service in self.appointments.service:
            if not papers.issuperset(service.papers):
                raise ValueError(f"service {service.code} wants a paper that is not described")
        for category in self.appointments.category:
            if not reasons.issuperset(category.reasons):
                raise ValueError(f"category {category.code} names a reason that there is not")
            if not papers.issuperset(category.papers):
                raise ValueError(f"category {category.code} wants a paper that is not described")
        titled: tuple[Service | Category, ...] = (*self.appointments.service, *self.appointments.category)
        untitled = next((row.code for row in titled if set(row.title) != set(self.languages)), None)
        if untitled is not None:
            raise ValueError(f"{untitled} of appointments has no title in every language")
        return self

    @property
    def language(self) -> str:
        """The language of whoever names none: the first."""
        return self.languages[0]

    def require_language(self, stated: str | None) -> str:
        """The language that somebody names, or that of whoever names none.

        Raises:
            RecordError: the rules know no such language.
        """
        if stated is not None and stated not in self.languages:
            raise RecordError("the rules know no such language")
        return stated or self.language

    @property
    def service(self) -> str:
        """The service of whoever names none: the first that is applied for here; empty where there is none."""
        return next((row.service for row in self.fees if self.is_in_files(row.service)), "")

    def is_in_files(self, service: str) -> bool:
        """Whether somebody applies for a service here; of others, only stamps are sold."""
        return service not in self.stamps.at_counters and any(row.service == service for row in self.fees)

    def show_amount(self, amount: int) -> str:
        """An amount as people write it, in the currency's own units."""
        places = self.stamps.decimals
        whole, rest = divmod(amount, 10**places)
        return f"{whole}.{rest:0{places}}" if places else str(whole)

    def ages_on(self, day: date) -> Ages:
        """The ages in force on a day."""
        return _in_force(self.ages, day, "ages")

    def needs_fingerprints(self, born: date, day: date) -> bool:
        """Whether fingerprints are taken of a person on a day; below that age none are."""
        return age_on(born, day) >= self.ages_on(day).fingerprints

    def is_mandatory(self, born: date, day: date) -> bool:
        """Whether somebody must have a card on a day."""
        return age_on(born, day) >= self.ages_on(day).mandatory

    def needs_guardian(self, born: date, day: date) -> bool:
        """Whether somebody else applies for the person."""
        return age_on(born, day) < self.ages_on(day).guardian_below

    def last_valid_day(self, born: date, issued: date) -> date:
        """The last day on which a card issued on a day is valid: the day before the anniversary.

        A card for a person below an age is not valid beyond the birthday at which the next rule begins.
        """
        row = _of_age(self.validity, age_on(born, issued), issued, "validity")
        last = add_years(issued, row.years) - timedelta(days=1)
        return last if row.until_age is None else min(last, add_years(born, row.until_age) - timedelta(days=1))

    def fee(self, service: str, born: date, day: date) -> int:
        """What a service costs a person on a day."""
        return self.fee_row(service, age_on(born, day), day).amount

    def fee_row(self, service: str, age: int, day: date) -> Fee:
        """The row of the fees that counts on a day for somebody of an age in full years.

        Raises:
            RecordError: there is none.
        """
        return _of_age([row for row in self.fees if row.service == service], age, day, f"fee of {service}")

    def find_reason(self, code: str) -> Reason:
        """The reason with this code.

        Raises:
            RecordError: there is none.
        """
        found = next((item for item in self.reason if item.code == code), None)
        if found is None:
            raise RecordError("the rules know no such reason for a card")
        return found

    def papers_for(self, code: str, *, abroad: bool, minor: bool, capacity: str | None = None) -> tuple[str, ...]:
        """Codes of the papers that an application needs. capacity: of who applies for a minor, once it is known."""
        reason = self.find_reason(code)
        stated = None if capacity is None else self.minors.find_capacity(capacity)
        guardian = (*self.minors.papers, *(() if stated is None else stated.papers)) if minor else ()
        return tuple(dict.fromkeys((*reason.papers, *(reason.abroad if abroad else reason.home), *guardian)))

    def find_refusal(self, code: str) -> RefusalCode:
        """The refusal with this code.

        Raises:
            RecordError: there is none.
        """
        found = next((item for item in self.refusal if item.code == code), None)
        if found is None:
            raise RecordError("the rules know no such refusal")
        return found

    def find_paper(self, code: str) -> Paper:
        """The paper with this code.

        Raises:
            RecordError: there is none.
        """
        found = next((item for item in self.paper if item.code == code), None)
        if found is None:
            raise RecordError("the rules know no such paper")
        return found


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """Rules, and the SHA-256 of the file they are from, which every application remembers."""

    rules: EnrolmentRules
    digest: bytes


def load_rules(name: str) -> LoadedRules:
    """A country's rules: its own, or those that come with the system.

    Raises:
        StoreError: there are none, or they are faulty; the text names the file, the first faulty key, and why.
    """
    return _load_rules(name, find_places())


@lru_cache(maxsize=16)
def _load_rules(name: str, places: str) -> LoadedRules:
    place = find_country_file(places, name, RULES) or files("eid.enrolment") / "rules" / f"{name}.toml"
    if not name.isidentifier() or not place.is_file():
        raise StoreError(f"there are no enrolment rules {name!r}")
    raw = place.read_bytes()
    try:
        return LoadedRules(decode_rules(raw), hashlib.sha256(raw).digest())
    except (DecodeError, StoreError) as fault:
        raise StoreError(f"{place}: {fault}") from fault


def decode_rules(raw: bytes) -> EnrolmentRules:
    """Rules out of the octets of their file.

    Raises:
        DecodeError: it is no TOML. StoreError: a rule is missing, unknown or impossible; the text names the first.
    """
    try:
        return EnrolmentRules.model_validate(decode_toml(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise StoreError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def age_on(born: date, day: date) -> int:
    """Full years; who is born on 29 February has a birthday on 1 March of other years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def add_years(day: date, years: int) -> date:
    """The same day of a later year; 1 March for 29 February where there is none."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def _in_force(rows: Iterable[D], day: date, what: str) -> D:
    candidates = [row for row in rows if row.starts <= day]
    if not candidates:
        raise RecordError(f"the rules have no {what} for that day")
    return max(candidates, key=lambda row: row.starts)


class _DatedByAge(_Dated, Protocol):
    @property
    def below_age(self) -> int | None: ...


A = TypeVar("A", bound=_DatedByAge)


def _of_age(rows: Iterable[A], age: int, day: date, what: str) -> A:
    """Of the rows in force those that the age fits, and of these the one with the lowest limit."""
    fitting = [row for row in rows if row.below_age is None or age < row.below_age]
    limits = {row.below_age for row in fitting if row.starts <= day}
    lowest = min(limits, key=lambda limit: 1000 if limit is None else limit, default=None)
    return _in_force([row for row in fitting if row.below_age == lowest], day, what)
