"""One card of 30 KB, in-process: a blank virtual card is opened, written and locked, then inspected as at a border.

Both ends run in this process, so the time is that of issuer, card and station together: SCP03 at level 33, two key
pairs made on the card, all files written; PACE with the CAN, all files read, Chip and Active Authentication.

Usage: bench_personalization.py [--cards N]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from functools import cache
from statistics import median

from _measure import judge
from _specimen import NOW, Issuer, build_issuer

from eid.card import VirtualCard
from eid.crypto.mac import cmac
from eid.evidence import Evidence
from eid.identity import IdentityRecord, specimen_record
from eid.imaging.encode import encode_portrait
from eid.imaging.header import ImageFormat
from eid.imaging.portrait import draw_specimen_portrait
from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect
from eid.keystore.card_keys import MasterKey, default_card_keys
from eid.lds.dg13 import StatusListReference
from eid.personalization.apply import apply
from eid.personalization.build import build_card, build_chip, build_key_orders
from eid.personalization.dialects import plan_card
from eid.personalization.open import open_card
from eid.personalization.plan import PersonalizationPlan
from eid.personalization.public_keys import collect_public_keys
from eid.profile.card_image import ApplicationImage, CardImage, PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import drive, through
from eid.protocols.pace.core import Password
from eid.protocols.scp03.core import SecurityLevel
from eid.transport.loopback import LoopbackConnection
from eid.transport.metered import MeteredConnection

PROFILE = "ma-cnie"
CAN = "123456"
PORTRAIT = 28_000  # octets; with the other files the card holds 30 KB
MAX_SECONDS, MAX_OVERHEAD = 1.0, 1.10


@cache
def portrait() -> bytes:
    """The specimen portrait as a JPEG image of the wanted length: a comment behind its first marker fills it up."""
    image = encode_portrait(draw_specimen_portrait(), ImageFormat.JPEG, PORTRAIT)
    missing = PORTRAIT - len(image)
    if missing < 4:
        return image
    return image[:2] + b"\xff\xfe" + (missing - 2).to_bytes(2, "big") + bytes(missing - 4) + image[2:]


def record(profile: CardProfile) -> IdentityRecord:
    """The specimen person."""
    state = profile.document.issuing_state
    made = specimen_record(NOW.date(), portrait())
    return replace(made, issuing_state=state, nationality=state, document_number="SPM00001")


@dataclass(frozen=True)
class Run:
    """What one card cost: processor seconds, and what went over the wire."""

    issuing: float
    inspecting: float
    plan: PersonalizationPlan
    written: MeteredConnection
    read: MeteredConnection

    @property
    def overhead(self) -> float:
        """Octets of the commands and answers that write files, over the octets of the files."""
        files = {step.name for step in self.plan.files}
        wire = sum(step.sent + step.received for step in self.written.steps if step.step in files)
        return wire / self.plan.payload


def personalize(
    profile: CardProfile, issuer: Issuer, number: int
) -> tuple[VirtualCard, PersonalizationPlan, MeteredConnection]:
    """Open a blank card, let it make its keys, write and lock it."""
    chip = build_chip(profile)
    domain = chip.security_domain
    card = VirtualCard.blank(chip, serial=number.to_bytes(10, "big"))
    link = MeteredConnection(LoopbackConnection(card))
    master = MasterKey("SPECIMEN", domain.key_length, lambda message: cmac(bytes(range(domain.key_length)), message))
    opening = open_card(
        domain,
        master,
        default_card_keys(domain.key_length),
        key_version=profile.security_domain.key_version,
        level=SecurityLevel(profile.security_domain.security_level),
    )
    opened = drive(opening, link, link)
    orders = build_key_orders(profile)
    application = ApplicationImage(profile.application.aid, (), orders, basic_access_control=profile.access.bac)
    keys = plan_card(CardImage(chip, (), (application,), ()), profile.personalization.dialect).keys
    public_keys = collect_public_keys(drive(through(opened.channel, apply(keys)), link, link), explicit=True)
    status = StatusListReference("https://status.example.org/1", number)
    data = build_card(record(profile), profile, can=CAN, public_keys=public_keys, sign=issuer.sign, status=status)
    plan = plan_card(data.image, profile.personalization.dialect)
    drive(through(opened.channel, apply((*plan.files, *plan.lock))), link, link)
    return card, plan, link


def inspect_card(card: VirtualCard) -> tuple[Evidence, MeteredConnection]:
    """Read it as a station with extended lengths does."""
    link = MeteredConnection(LoopbackConnection(card))
    plan = InspectionPlan(Password(PasswordId.CAN, CAN.encode()), challenge=bytes(8), max_response=65_000)
    return drive(inspect(plan, NOW), link, link), link


def run(profile: CardProfile, issuer: Issuer, number: int) -> Run:
    """One card from blank to inspected."""
    begun = time.process_time()
    card, plan, written = personalize(profile, issuer, number)
    issued = time.process_time()
    evidence, read = inspect_card(card)
    done = time.process_time()
    if len(evidence.content("DG2") or b"") < PORTRAIT:
        raise SystemExit("the station did not read the portrait")
    return Run(issued - begun, done - issued, plan, written, read)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cards", type=int, default=15, help="how many; medians are told")
    count = options.parse_args().cards
    profile, issuer = load_profile(PROFILE).profile, build_issuer("brainpoolP256r1")
    run(profile, issuer, 0)
    runs = [run(profile, issuer, number + 1) for number in range(count)]
    last = runs[-1]
    issuing, inspecting = median(item.issuing for item in runs), median(item.inspecting for item in runs)
    print(f"{PROFILE}, {last.plan.payload:,} octets of files, {count} cards, medians")
    for name, seconds, link in (("personalisation", issuing, last.written), ("inspection", inspecting, last.read)):
        total = link.total
        print(
            f"  {name:<16}{1000 * seconds:>7.0f} ms CPU{total.commands:>6} APDUs"
            f"{total.sent:>9,} octets to the card{total.received:>9,} octets from it"
        )
    both = median(item.issuing + item.inspecting for item in runs)
    print(f"  both            {1000 * both:>7.0f} ms CPU   {judge(both, at_most=MAX_SECONDS)} s")
    print(f"  octets on the wire while writing / octets of files  {last.overhead:.3f}   ", end="")
    print(judge(last.overhead, at_most=MAX_OVERHEAD))


if __name__ == "__main__":
    main()
