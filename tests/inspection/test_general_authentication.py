"""The General Authentication Procedure with cards that announce nonsense, or nothing that is spoken here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.errors import LocalProtocolError, PasswordSuspendedError, PeerProtocolError
from eid.inspection.general_authentication import Consent
from eid.inspection.identification import IdentificationPlan, Sectors
from eid.lds.card_access import CardAccess, decode_card_access
from eid.lds.security_infos import (
    ID_CA_DH,
    ID_CA_ECDH,
    ChipAuthenticationDomainParameterInfo,
    PACEInfo,
    SecurityInfo,
)
from eid.protocols.chip_authentication.public_key import encode_domain_parameters, find_domain_parameters
from eid.protocols.pace.core import Password
from tests.builders.eid_card import CAN, GROUP, PIN, RI_KEY, SHOP, EidBench, ask_pseudonym, build_pki, right
from tests.builders.terminals import ALL_AT_RIGHTS

NOTHING = IdentificationPlan()
CARD_ACCESS, CARD_SECURITY = 0x011C, 0x011D
NAMED_CURVE = bytes.fromhex("301306072A8648CE3D020106082A8648CE3D030107")  # id-ecPublicKey, P-256
MODP = bytes.fromhex("300C060704007F00070102020100")  # standardised, number 0


@pytest.fixture
def bench() -> EidBench:
    return EidBench(build_pki(ALL_AT_RIGHTS))


def announce(bench: EidBench, *infos: SecurityInfo) -> None:
    bench.card._card.memory.master.files[CARD_ACCESS].content = bytearray(CardAccess(infos).encode())


def announced(bench: EidBench) -> tuple[SecurityInfo, ...]:
    return decode_card_access(bytes(bench.card._card.memory.master.files[CARD_ACCESS].content)).security_infos


@pytest.mark.parametrize("content", [b"\x31\x01\x00", b"\x30\x00"])
def test_nonsense_in_the_announcement(bench, content):
    bench.card._card.memory.master.files[CARD_ACCESS].content = bytearray(content)
    with pytest.raises(PeerProtocolError, match=r"EF\.CardAccess"):
        bench.identify(NOTHING)


def test_nothing_that_is_spoken_here(bench):
    infos = announced(bench)
    announce(bench, *(info for info in infos if not isinstance(info, ChipAuthenticationDomainParameterInfo)))
    with pytest.raises(PeerProtocolError, match="version 2"):
        bench.identify(NOTHING)
    announce(bench, *(info for info in infos if not isinstance(info, PACEInfo)))
    with pytest.raises(PeerProtocolError, match="no PACE"):
        bench.identify(NOTHING)


def test_domain_parameters_that_nobody_knows_or_that_are_none(bench):
    others = [info for info in announced(bench) if not isinstance(info, ChipAuthenticationDomainParameterInfo)]
    unknown = bytes.fromhex("300C060704007F0007010202017F")
    announce(bench, *others, ChipAuthenticationDomainParameterInfo(ID_CA_ECDH, unknown, 1))
    with pytest.raises(PeerProtocolError, match="version 2"):
        bench.identify(NOTHING)
    announce(bench, *others, ChipAuthenticationDomainParameterInfo(ID_CA_ECDH, b"\x30\x02\x06\x00", 1))
    with pytest.raises(PeerProtocolError, match=r"EF\.CardAccess"):
        bench.identify(NOTHING)


def test_parameters_by_number_by_name_and_unknown():
    for protocol, parameters, name in (
        (ID_CA_ECDH, encode_domain_parameters(GROUP), "P-256"),
        (ID_CA_ECDH, NAMED_CURVE, "P-256"),
        (ID_CA_DH, MODP, "MODP-1024-160"),
        (ID_CA_ECDH, MODP, None),
        (ID_CA_DH, encode_domain_parameters(GROUP), None),
        (ID_CA_DH, NAMED_CURVE, None),
        (ID_CA_ECDH, NAMED_CURVE[:-1] + b"\x7f", None),
    ):
        group = find_domain_parameters(protocol, parameters)
        assert (None if group is None else group.name) == name
    group = find_domain_parameters(ID_CA_DH, MODP)
    assert group is not None
    assert encode_domain_parameters(group) == MODP


def test_parameters_without_a_number():
    from eid.crypto.group import EcGroup

    curve = replace(GROUP.curve, standardized_id=None)
    with pytest.raises(LocalProtocolError):
        encode_domain_parameters(EcGroup(curve))


def test_no_key_on_the_announced_parameters(bench):
    others = [info for info in announced(bench) if not isinstance(info, ChipAuthenticationDomainParameterInfo)]
    brainpool = bytes.fromhex("300C060704007F0007010202010D")
    announce(bench, *others, ChipAuthenticationDomainParameterInfo(ID_CA_ECDH, brainpool, 1))
    with pytest.raises(PeerProtocolError, match="no key"):
        bench.identify(NOTHING)
    bench = EidBench(build_pki(ALL_AT_RIGHTS))
    bench.card._card.memory.master.files[CARD_SECURITY].content = bytearray(b"\x30\x00")
    with pytest.raises(PeerProtocolError, match=r"EF\.CardSecurity"):
        bench.identify(NOTHING)


def test_rights_of_another_length(bench):
    with pytest.raises(LocalProtocolError, match="5 octets"):
        bench.identify(NOTHING, Consent(PIN, rights=b"\x01"))


def test_a_suspended_pin_is_resumed_by_the_can(bench):
    bench.card._card.memory.passwords[PIN.id].left = 1
    with pytest.raises(PasswordSuspendedError):
        bench.identify(NOTHING)
    found = bench.identify(IdentificationPlan((5,)), Consent(PIN, CAN.value, use_last_try=True))
    assert isinstance(found.groups[5], bytes)
    assert bench.card._card.memory.passwords[PIN.id].left == 3


def test_the_chips_key_is_chosen_by_the_right():
    plan = IdentificationPlan(sectors=Sectors(SHOP))
    without, entitled = EidBench(build_pki(right())), EidBench(build_pki(right(2)))
    plain = without.identify(plan).pseudonyms
    assert plain == replace(without.identify(ask_pseudonym(RI_KEY)).pseudonyms, second=None)  # type: ignore[type-var]  # it is there
    assert entitled.identify(plan).pseudonyms != plain
    with pytest.raises(LocalProtocolError):  # of which sector?
        entitled.identify(IdentificationPlan(sectors=Sectors(None)))


def test_nothing_of_the_holder_is_shown(bench):
    found = bench.identify(IdentificationPlan((5,), sectors=Sectors(SHOP)))
    shown = repr(found) + repr(Consent(Password(PIN.id, PIN.value), CAN.value))
    assert b"SPECIMEN".hex() not in shown
    assert "SPECIMEN" not in shown
    assert PIN.value.decode() not in shown
    assert CAN.value.decode() not in shown
