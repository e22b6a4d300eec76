"""JMRTD reads our cards over PC/SC (javax.smartcardio): access, every file, chip, active and passive authentication.

Bouncy Castle judges the signatures, so what is accepted here is accepted by software that shares nothing with ours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eid.crypto.hashes import digest
from eid.identity import EYES, Iris
from eid.imaging.header import ImageFormat, inspect_image
from eid.inspection import InspectionPlan
from eid.keystore.software import SoftwareSigner
from eid.lds.iris_record import UNKNOWN_QUALITY, IrisImageFormat
from eid.lds.security_infos import ID_PACE_ECDH_CAM
from eid.profile.card_image import KeyPurpose, PasswordId
from eid.profile.loader import load_profile, shipped_profiles
from eid.profile.schema import CardProfile
from eid.protocols.pace.core import Password
from eid.services.reading.inspection import inspect_card
from eid.transport.pcsc import open_reader
from eid.transport.pcscd import PcscHost
from tests.builders.issuance import CAN, NOW, Authority, Issued, issue, record_for
from tests.builders.machine import missing
from tests.builders.terminals import BEGIN, ECDSA, TerminalPki, build_terminal_pki
from tests.interop.cards import (
    CountedCard,
    closed,
    contents,
    twin,
    with_altered_dg1,
    with_foreign_key,
    with_trust_point,
)
from tests.interop.conftest import Control, InReader, Ledger
from tests.interop.jmrtd.driver import build, command
from tests.interop.terminals import Driver, Reading, Terminal, Unavailable, password, wrong

WHO = "JMRTD 0.8.6"
Inspector = tuple[TerminalPki, ec.EllipticCurvePrivateKey]
KINDS = ("MRZ", "CAN")
CHIP_STEPS = {"chip-authentication mapping": "CAM", "chip authentication": "CA", "active authentication": "AA"}
BEYOND_ITS_READING = {
    "EF.CardAccess",
    "EF.CardSecurity",
    "EF.ATR/INFO",
    "EF.DIR",
    "EF.CVCA",
}  # it has no reason to read them


@pytest.fixture(scope="session")
def driver(require_tool: Callable[[str], Path], pcsc_daemon: PcscHost) -> Iterator[Driver]:
    java, maven = require_tool("java"), require_tool("mvn")
    require_tool("javac")
    try:
        build(maven)
    except Unavailable as failure:
        missing(f"JMRTD cannot be had: {failure}")
    with Driver(command(java)) as running:
        yield running


@pytest.fixture
def jmrtd(driver: Driver, in_reader: InReader) -> Terminal:
    return Terminal(driver, in_reader)


def ways_in() -> Iterator[tuple[str, str, str]]:
    """Profile, access, and the identifier of the PACE protocol: each one that a shipped profile announces."""
    for name in shipped_profiles():
        access = load_profile(name).profile.access
        if access.bac:
            yield name, "bac", ""
        for pace in access.pace:
            if pace.curve is not None:
                continue  # it knows standardised parameters only
            yield from (
                (name, f"pace-{kind.lower()}", pace.info.protocol) for kind in access.passwords if kind in KINDS
            )


def hidden(genuine: Issued, pace: str) -> set[str]:
    """JMRTD takes what follows the token for the mapping's data; where the chip trusts someone that is 87, then 8A."""
    is_hidden = pace.startswith(ID_PACE_ECDH_CAM) and closed(genuine.card)
    return {"chip-authentication mapping"} if is_hidden else set()


def verify_reading(reading: Reading, genuine: Issued, failing: Collection[str] = ()) -> list[str]:
    """Every file is as on the card and every step has passed but these; what that proves, in words."""
    assert set(reading.failed) == set(failing)
    held = {name: raw for name, raw in contents(genuine.card).items() if name not in failing}
    unread = set(held) - set(reading.files)
    assert unread <= BEYOND_ITS_READING
    assert reading.files == {name: content for name, content in held.items() if name not in unread}
    assert {name for name, alike in reading.hashes.items() if alike} == {name for name in held if name.startswith("DG")}
    assert {"EF.SOD signature", "certificate path"} <= set(reading.outcomes)
    record = record_for(genuine.profile)
    images = [record.portrait, *(item.image for item in record.fingerprints if "DG3" in reading.files)]
    assert reading.outcomes["images"].split() == [digest("sha256", image).hex() for image in images]
    purposes = {key.purpose for key in genuine.profile.application.keys}
    assert ("active authentication" in reading.outcomes) == (KeyPurpose.ACTIVE_AUTHENTICATION in purposes)
    chip = [short for step, short in CHIP_STEPS.items() if reading.outcomes.get(step) == "passed"]
    return [reading.outcomes["access"], f"{len(reading.files)} files alike", *chip, "PA with CRL"]


@pytest.mark.parametrize(("profile", "access", "pace"), list(ways_in()))
def test_reads_the_card(
    jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger, profile: str, access: str, pace: str
) -> None:
    genuine = issued(profile)
    reading, counted = jmrtd.read(genuine, twin(genuine), access, pace=pace)
    proven = verify_reading(reading, genuine, closed(genuine.card) | hidden(genuine, pace))
    assert ("CAM" in proven) == (pace.startswith(ID_PACE_ECDH_CAM) and not hidden(genuine, pace))
    announced = genuine.profile.access.pace
    assert proven[0] == "BAC" or any(proven[0].startswith(f"PACE {info.mapping} ") for info in announced)
    how = "" if access == "bac" else f" ({access[5:].upper()})"
    ledger(WHO, profile, f"{proven[0]}{how}, {', '.join(proven[1:])}", counted.commands)


@pytest.mark.parametrize("mapping", ["GM", "IM"])
@pytest.mark.parametrize(
    ("cipher", "group"),
    [("AES_128", "MODP-1024-160"), ("TDES_112", "MODP-2048-224"), ("AES_256", "MODP-2048-256")],
)
def test_opens_the_card_over_a_modp_group(
    jmrtd: Terminal, ledger: Ledger, mapping: str, cipher: str, group: str
) -> None:
    """Both mappings with DH, of which the shipped profiles have one only."""
    stated = load_profile("it-cie-3").profile.model_dump(mode="json")
    stated["access"]["pace"] = [{"mapping": mapping, "cipher": cipher, "parameters": group}]
    genuine = issue(CardProfile.model_validate(stated))
    reading, counted = jmrtd.read(genuine, twin(genuine), "pace-can", pace=genuine.profile.access.pace[0].info.protocol)
    proven = verify_reading(reading, genuine, closed(genuine.card))
    assert proven[0].startswith(f"PACE {mapping} ")
    ledger(WHO, f"a card with {group}", ", ".join(proven), counted.commands)


@pytest.mark.parametrize("option", ["sfi", "extended"])
def test_reads_the_card_in_another_manner(
    jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger, option: str
) -> None:
    genuine = issued("ma-cnie")
    reading, counted = jmrtd.read(genuine, twin(genuine), "pace-can", **{option: "yes"})
    proven = verify_reading(reading, genuine)
    how = {"sfi": "by short file identifier", "extended": "with extended length"}[option]
    ledger(WHO, "ma-cnie", f"{', '.join(proven)}, {how}", counted.commands)


@pytest.mark.parametrize("access", ["bac", "pace-mrz", "pace-can"])
def test_wrong_password_is_refused(
    jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger, access: str
) -> None:
    genuine = issued("ma-cnie")
    card = twin(genuine)
    value = password(genuine, access)["value"]
    reading, counted = jmrtd.read(genuine, card, access, value=wrong(value))
    assert list(reading.outcomes) == ["access"]
    # After a failed BAC, JMRTD tries the same cryptogram once more, with a greater Le: the challenge is gone by then.
    assert counted.status_words[-1] == (0x6985 if access == "bac" else 0x6300)
    assert 0x6300 in counted.status_words
    assert set(reading.files) <= {"EF.CardAccess"}
    reading, _ = jmrtd.read(genuine, card, access)
    assert reading.failed == {}
    ledger(
        WHO,
        "ma-cnie",
        f"wrong password refused ({access}), then the right one taken",
        counted.commands,
        Control.REFUSED,
    )


def test_altered_dg1_is_noticed(jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger) -> None:
    genuine = issued("ma-cnie")
    reading, counted = jmrtd.read(genuine, with_altered_dg1(genuine), "pace-can")
    assert reading.failed == {}
    assert [name for name, alike in reading.hashes.items() if not alike] == ["DG1"]
    ledger(
        WHO,
        "ma-cnie, one octet of DG1 altered",
        "noticed: hash of DG1, and of no other",
        counted.commands,
        Control.NOTICED,
    )


@pytest.mark.parametrize("profile", ["ma-cnie", "icao-td3-passport"])
def test_foreign_active_authentication_key_is_noticed(
    jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger, profile: str
) -> None:
    genuine = issued(profile)
    copy = with_foreign_key(genuine, KeyPurpose.ACTIVE_AUTHENTICATION)
    reading, counted = jmrtd.read(genuine, copy, "pace-mrz")
    assert list(reading.failed) == ["active authentication"]
    assert "not that of DG15's key" in reading.failed["active authentication"]
    ledger(
        WHO, f"{profile}, foreign AA key", "noticed: signature over the challenge", counted.commands, Control.NOTICED
    )


@pytest.mark.parametrize(
    ("profile", "pace", "steps"),
    [
        ("ma-cnie", "", ["chip authentication"]),
        ("de-passport-2023", ID_PACE_ECDH_CAM, ["chip-authentication mapping", "chip authentication"]),
    ],
)
def test_foreign_chip_authentication_key_is_noticed(
    jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger, profile: str, pace: str, steps: list[str]
) -> None:
    genuine = issued(profile)
    copy = with_foreign_key(genuine, KeyPurpose.CHIP_AUTHENTICATION)
    reading, counted = jmrtd.read(genuine, copy, "pace-mrz", pace=pace)
    assert list(reading.failed) == steps
    ledger(WHO, f"{profile}, foreign CA key", f"noticed: {' and '.join(steps)}", counted.commands, Control.NOTICED)


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    key = ec.generate_private_key(ec.BrainpoolP256R1())
    return replace(build_terminal_pki(), terminal=SoftwareSigner("JMRTD", key, ECDSA)), key


def credentials(inspector: Inspector) -> dict[str, str]:
    """The request's part that names an inspection system."""
    pki, key = inspector
    pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return {"terminal_chain": ",".join(raw.hex() for raw in pki.chain()), "terminal_key": pkcs8.hex()}


def described(iris: Iris) -> str:
    """What JMRTD should find in DG4: as `Irises.java` puts it."""
    info, eye = inspect_image(iris.image), EYES.index(iris.eye) + 1
    assert (info.format, info.components) == (ImageFormat.JPEG2000, 1)
    image_format = IrisImageFormat.MONO_JPEG2000
    return f"{eye} {image_format} {info.width} {info.height} 8 1 {UNKNOWN_QUALITY} {digest('sha256', iris.image).hex()}"


@pytest.mark.parametrize("access", ["bac", "pace-mrz", "pace-can"])
@pytest.mark.parametrize("profile", ["eu-passport-eac", "full-lds"])
def test_reads_all_after_terminal_authentication(
    jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger, inspector: Inspector, profile: str, access: str
) -> None:
    genuine, (pki, _) = issued(profile), inspector
    card = with_trust_point(genuine, pki.cvca_certificate(), BEGIN)
    reading, counted = jmrtd.read(genuine, card, access, **credentials(inspector))
    proven = verify_reading(reading, genuine)
    assert reading.outcomes["terminal authentication"] == "passed"
    irises = [*map(described, record_for(genuine.profile).irises)] if "DG4" in closed(card) else []
    assert reading.outcomes.get("irises", "") == ", ".join(irises)
    told = f"{', '.join(proven)}, TA 1; {' and '.join(sorted(closed(card)))} open"
    ledger(WHO, profile, f"{told} ({access})", counted.commands)


@pytest.mark.parametrize("what", ["right", "certificate", "key"])
def test_wrong_terminal_reads_no_fingers(
    jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger, inspector: Inspector, what: str
) -> None:
    pki, key = inspector
    genuine = issued("eu-passport-eac")
    card = with_trust_point(genuine, pki.cvca_certificate(), BEGIN)
    match what:
        case "right":
            told = credentials((replace(pki, terminal_rights=b"\x02"), key))  # irises, not fingers
        case "certificate":
            told = credentials(inspector)
            told["terminal_chain"] = f"{told['terminal_chain'][:-1]}{int(told['terminal_chain'][-1], 16) ^ 1:x}"
        case _:
            told = credentials((pki, ec.generate_private_key(ec.BrainpoolP256R1())))
    reading, counted = jmrtd.read(genuine, card, "pace-mrz", **told)
    verify_reading(reading, genuine, {"DG3"} if what == "right" else {"DG3", "terminal authentication"})
    against = f"eu-passport-eac, the terminal's {what} wrong"
    ledger(WHO, against, "DG3 stays closed", counted.commands, Control.REFUSED)


def test_two_terminals_at_two_cards(
    driver: Driver, pcsc_daemon: PcscHost, issued: Callable[[str], Issued], ledger: Ledger
) -> None:
    """JMRTD and our terminal read at the same time, each another person's card, in neighbouring readers."""
    theirs, ours = issued("ma-cnie"), issued("eu-td1-id-card")
    cards = [CountedCard(twin(theirs)), CountedCard(twin(ours))]
    with ExitStack() as stack:
        for slot, card in zip(pcsc_daemon.readers, cards, strict=False):
            slot.insert(card)
            stack.callback(slot.remove)
        with ThreadPoolExecutor(1) as pool:
            request = {**password(theirs, "pace-can"), "challenge": "00" * 8, "reader": pcsc_daemon.readers[0].name}
            reading = pool.submit(driver.read, request)
            plan = InspectionPlan(Password(PasswordId.CAN, CAN.encode()))
            connection = stack.enter_context(closing(open_reader(pcsc_daemon.readers[1].name)))
            evidence = inspect_card(connection, plan, now=NOW).evidence
    assert reading.result().failed == {}
    assert reading.result().files["DG1"] == contents(theirs.card)["DG1"]
    assert {file.name: file.content for file in evidence.files}["DG1"] == contents(ours.card)["DG1"]
    ledger(WHO, "ma-cnie, beside `eid read` of eu-td1-id-card", "two cards at once, not crossed", cards[0].commands)


def test_foreign_authority_is_refused(jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger) -> None:
    genuine = issued("ma-cnie")
    stranger = Authority(genuine.profile)
    reading, counted = jmrtd.read(
        genuine, twin(genuine), "pace-can", csca=stranger.csca_certificate.hex(), crl=stranger.crl.hex()
    )
    assert list(reading.failed) == ["certificate path"]
    ledger(WHO, "ma-cnie, CSCA of another key", "noticed: certificate path", counted.commands, Control.NOTICED)
