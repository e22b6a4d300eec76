"""Terminal Authentication: the worked example's signature, pairs of both versions, every refusal."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_command
from eid.codec.cv import Chat, decode_cv_certificate
from eid.codec.oid import ID_AT, ID_IS
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.curves import CURVES
from eid.crypto.dh_groups import DH_GROUPS
from eid.crypto.group import DhGroup, EcGroup, compress_public_key
from eid.crypto.signatures import SignatureAlgorithm, verify_signature
from eid.errors import (
    CommandRefused,
    DecodeError,
    LocalProtocolError,
    PeerProtocolError,
    StatusWordError,
    VerificationError,
)
from eid.keystore.software import SoftwareSigner
from eid.pki.cv_chain import CardTrust, Verified, load_cv_key
from eid.pki.cv_issuing import sign_plain
from eid.protocols.exchange import drive
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.terminal_authentication import core, messages
from eid.protocols.terminal_authentication.card import TerminalAuthenticationCard
from eid.protocols.terminal_authentication.core import AuthenticatedTerminal, AuxiliaryDatum
from eid.protocols.terminal_authentication.messages import AuthenticationTemplate
from eid.protocols.terminal_authentication.terminal import (
    TerminalCredentials,
    run_terminal_authentication,
    run_terminal_authentication_2,
)
from tests.builders.exchanges import play
from tests.builders.sweep import examples
from tests.builders.terminals import (
    BEGIN,
    CVCA,
    DV,
    TERMINAL,
    TerminalPki,
    build_authentication_pki,
    build_terminal_pki,
    ec_signer,
    rsa_signer,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "tr03110-eac-worked-example-dh.json"
ID_PICC, KEY = b"ID of the chip", b"compressed key"
AUXILIARY = messages.encode_auxiliary_data([AuxiliaryDatum("0.4.0.127.0.7.3.1.4.1", b"20080101")])
CHAT = Chat(ID_AT, bytes.fromhex("0000000330"))


@dataclass
class TaChip:
    """The card half on a bench."""

    card: TerminalAuthenticationCard
    terminal: AuthenticatedTerminal | None = None

    @property
    def atr(self) -> bytes:
        return b""

    def reset(self) -> bytes:
        return b""

    def close(self) -> None:
        pass

    def transmit(self, raw: bytes) -> bytes:
        try:
            return self.answer(decode_command(raw)).encode()
        except CommandRefused as refusal:
            return refusal.sw.to_bytes(2, "big")

    def answer(self, command: CommandAPDU) -> ResponseAPDU:
        match command.ins, command.p2:
            case 0x22, 0xB6:
                return self.card.set_dst(command)
            case 0x22, _:
                return self.card.set_at(command)
            case 0x2A, _:
                return self.card.verify_certificate(command)
            case 0x84, _:
                return self.card.get_challenge(command)
        response, self.terminal = self.card.external_authenticate(command)
        return response


def chip_1(pki: TerminalPki, **changes: object) -> TaChip:
    trust = CardTrust((pki.trust_point(),), BEGIN)
    return TaChip(TerminalAuthenticationCard(trust, **({"id_picc": ID_PICC, "terminal_key": KEY} | changes)))  # type: ignore[arg-type]  # by name, as the caller has them


def chip_2(pki: TerminalPki, chat: Chat | None = CHAT) -> TaChip:
    return TaChip(TerminalAuthenticationCard(CardTrust((pki.trust_point(),), BEGIN), ID_PICC, chat=chat))


def refusal(chip: TaChip, command: CommandAPDU) -> int:
    with pytest.raises(CommandRefused) as caught:
        chip.answer(command)
    return caught.value.sw


def test_signature_of_the_worked_example() -> None:
    """BSI worked example: RSA with SHA-1 over ID_PICC, r_PICC and Comp(PK_PCD)."""
    b = {name: bytes.fromhex(value) for name, value in json.loads(VECTORS.read_text()).items() if name != "source"}
    group = DhGroup(DH_GROUPS[0])
    id_picc, key = (compress_public_key(group, b[name]) for name in ("picc_pub_key", "ca_pcd_pub_key"))
    signed = core.build_signed_data(id_picc, b["ta_nonce"], key)
    loaded = load_cv_key(decode_cv_certificate(b["ta_cert"]).public_key)
    verify_signature(loaded.public_key, loaded.algorithm, signed, b["ta_pcd_signature"])
    private = load_der_private_key(b["ta_pcd_key"], None)
    signer = SoftwareSigner("example", private, loaded.algorithm)  # type: ignore[arg-type]  # an EC or RSA key
    assert sign_plain(signer, signed) == b["ta_pcd_signature"]
    # The terminal's and the card's half, from the terminal's certificate on; the DV stands in as verified.
    terminal = decode_cv_certificate(b["ta_cert"])
    issuer = Verified(
        decode_cv_certificate(b["dv_cert"]),
        load_cv_key(decode_cv_certificate(b["dv_cert"]).public_key),
        b"\x1f\xff\xff\xff\x10",
    )
    card = TerminalAuthenticationCard(
        CardTrust((issuer,), terminal.effective_date), id_picc, chat=CHAT, random=lambda _: b["ta_nonce"]
    )
    chip = TaChip(card)
    credentials = TerminalCredentials((b["ta_cert"],), signer)
    drive(run_terminal_authentication_2(credentials, ["DETESTDVDE019"], id_picc, key), chip)
    assert chip.terminal == AuthenticatedTerminal(
        "DETESTATDE019", Chat(ID_AT, bytes.fromhex("0000000110")), core.VERSION_2, key, signature_hash="sha1"
    )


def test_signature_and_protected_command_of_the_worked_example_on_a_curve() -> None:
    """BSI worked example: ECDSA over ID_PICC, r_PICC and Comp(PK_PCD); MSE:Set DST in the channel that PACE opened."""
    path = VECTORS.with_name("tr03110-eac-worked-example-ecdh.json")
    b = {name: bytes.fromhex(value) for name, value in json.loads(path.read_text()).items() if name != "source"}
    group = EcGroup(next(curve for curve in CURVES if curve.name == "brainpoolP256r1"))
    id_picc, key = (compress_public_key(group, b[name]) for name in ("picc_pub_key", "ca_pcd_pub_key"))
    root = load_cv_key(decode_cv_certificate(b["cvca_cert"]).public_key)
    terminal = load_cv_key(decode_cv_certificate(b["ta_cert"]).public_key, root.curve)
    for auxiliary, genuine in ((b"", True), (b"\x00", False)):
        signed = core.build_signed_data(id_picc, b["ta_nonce"], key, auxiliary)
        with nullcontext() if genuine else pytest.raises(VerificationError):
            verify_signature(terminal.public_key, terminal.algorithm, signed, b["ta_pcd_signature"])
    channel = SecureMessaging(CipherSuite.AES_128, b["k_enc"], b["k_mac"])
    sent = channel.protect_command(CommandAPDU(0x00, 0x22, 0x81, 0xB6, b["d1"]))
    assert b["e1"] in sent.data
    answer = b["ad1"] + b"\x8e\x08" + b["a1"]
    assert channel.unprotect_response(ResponseAPDU(answer)) == ResponseAPDU()


PSS = SignatureAlgorithm("rsa-pss", "sha256", 32)
VARIANTS = {
    "ecdsa": {},
    "rsa-pss": {name: rsa_signer(name, PSS) for name in ("cvca", "dv", "terminal")},
    "ecdsa-sha512-rsa": {"terminal": rsa_signer("terminal", SignatureAlgorithm("rsa-pkcs1", "sha512"))},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_version_1_pair(variant: str) -> None:
    pki = replace(build_terminal_pki(), **VARIANTS[variant])
    chip = chip_1(pki)
    drive(run_terminal_authentication(pki.credentials(), [CVCA], ID_PICC, KEY), chip)
    expected = AuthenticatedTerminal(TERMINAL, Chat(ID_IS, b"\x03"), core.VERSION_1, KEY, signature_hash="sha256")
    assert chip.terminal == expected


def test_version_1_is_for_inspection_systems() -> None:
    """Its rights would not be those that the holder has left the terminal in PACE."""
    pki = build_authentication_pki()
    with pytest.raises(StatusWordError) as caught:
        drive(run_terminal_authentication(pki.credentials(), [CVCA], ID_PICC, KEY), chip_1(pki))
    assert caught.value.sw == 0x6985


@pytest.mark.parametrize("auxiliary", [b"", AUXILIARY])
def test_version_2_pair(auxiliary: bytes) -> None:
    pki = build_authentication_pki()
    chip = chip_2(pki)
    drive(run_terminal_authentication_2(pki.credentials(), [CVCA], ID_PICC, KEY, auxiliary), chip)
    data = messages.decode_auxiliary_data(auxiliary)
    assert chip.terminal == AuthenticatedTerminal(TERMINAL, CHAT, core.VERSION_2, KEY, data, signature_hash="sha256")
    assert refusal(chip, messages.encode_set_dst(CVCA)) == 0x6985  # once


def test_version_2_rights_are_those_of_pace_too() -> None:
    pki = build_authentication_pki(bytes.fromhex("0000000120"))
    chip = chip_2(pki)
    drive(run_terminal_authentication_2(pki.credentials(), [CVCA], ID_PICC, KEY), chip)
    assert chip.terminal is not None
    assert chip.terminal.chat.authorization == bytes.fromhex("0000000120")


def test_a_link_certificate_first() -> None:
    pki = build_terminal_pki()
    new = "UTCVCASPEC00002"
    dv = pki.certify(ec_signer("cvca2"), new, pki.dv, DV, pki.dv_role, b"\x03")
    chain = (pki.link_certificate(ec_signer("cvca2"), new), dv, pki.terminal_certificate())
    chip = chip_1(pki)
    drive(run_terminal_authentication(TerminalCredentials(chain, pki.terminal), [CVCA], ID_PICC, KEY), chip)
    assert chip.terminal is not None
    assert [point.certificate.holder_reference for point in chip.card.trust.points] == [new, CVCA]
    # A card that knows the new CVCA already is not shown the link.
    _, sent = play(
        run_terminal_authentication(TerminalCredentials(chain, pki.terminal), [new, CVCA], ID_PICC, KEY),
        [b"\x90\x00"] * 5 + [bytes(8) + b"\x90\x00", b"\x90\x00"],
    )
    assert sent[0] == bytes.fromhex("002281B6118 30F".replace(" ", "")) + new.encode()


def test_commands_on_the_wire() -> None:
    pki = build_authentication_pki()
    replies = [b"\x90\x00"] * 5 + [bytes(8) + b"\x90\x00", b"\x90\x00"]
    _, sent = play(run_terminal_authentication_2(pki.credentials(), [CVCA], ID_PICC, KEY, AUXILIARY), replies)
    assert [raw[:4].hex() for raw in sent] == [
        *("002281b6", "002a00be") * 2,
        *("002281a4", "00840000", "00820000"),
    ]
    assert sent[5] == bytes.fromhex("0084000008")
    assert messages.decode_set_at(decode_command(sent[4]).data) == AuthenticationTemplate(
        TERMINAL, "0.4.0.127.0.7.2.2.2.2.3", KEY, AUXILIARY
    )


# The terminal


def test_terminal_without_a_way_to_the_card() -> None:
    pki = build_terminal_pki()
    with pytest.raises(LocalProtocolError):
        play(run_terminal_authentication(pki.credentials(), ["XXOTHER00001"], ID_PICC, KEY), [])
    with pytest.raises(LocalProtocolError):
        play(run_terminal_authentication(TerminalCredentials((), pki.terminal), [CVCA], ID_PICC, KEY), [])
    with pytest.raises(DecodeError):
        play(run_terminal_authentication(TerminalCredentials((b"\x30\x00",), pki.terminal), [CVCA], ID_PICC, KEY), [])


def test_terminal_insists_on_a_challenge() -> None:
    exchange = run_terminal_authentication(build_terminal_pki().credentials(), [CVCA], ID_PICC, KEY)
    with pytest.raises(PeerProtocolError):
        play(exchange, [b"\x90\x00"] * 6)


@pytest.mark.parametrize("refused", range(7))
def test_terminal_stops_where_the_card_refuses(refused: int) -> None:
    replies = [b"\x90\x00"] * 5 + [bytes(8) + b"\x90\x00", b"\x90\x00"]
    replies[refused] = b"\x63\x00"
    with pytest.raises(StatusWordError):
        play(run_terminal_authentication(build_terminal_pki().credentials(), [CVCA], ID_PICC, KEY), replies)


# The card


@pytest.mark.parametrize("changed", ["id_picc", "key", "signer"])
def test_a_signature_over_anything_else_is_refused(changed: str) -> None:
    pki = build_terminal_pki()
    chip = chip_1(pki)
    signer = ec_signer("stranger") if changed == "signer" else pki.terminal
    credentials = TerminalCredentials(pki.chain(), signer)
    id_picc, key = (b"other" if changed == name else value for name, value in (("id_picc", ID_PICC), ("key", KEY)))
    with pytest.raises(StatusWordError) as caught:
        drive(run_terminal_authentication(credentials, [CVCA], id_picc, key), chip)
    assert (caught.value.sw, caught.value.command) == (0x6300, "EXTERNAL AUTHENTICATE")
    assert chip.terminal is None
    assert refusal(chip, messages.encode_external_authenticate(bytes(64))) == 0x6985  # the challenge is spent


def test_auxiliary_data_are_signed() -> None:
    pki = build_authentication_pki()
    chip = chip_2(pki)
    present(chip, pki)
    chip.answer(messages.encode_set_at(AuthenticationTemplate(TERMINAL, None, KEY, AUXILIARY)))
    challenge = chip.answer(messages.encode_get_challenge()).data
    signature = sign_plain(pki.terminal, core.build_signed_data(ID_PICC, challenge, KEY))
    assert refusal(chip, messages.encode_external_authenticate(signature)) == 0x6300


def test_a_challenge_serves_once_and_is_fresh() -> None:
    pki = build_terminal_pki()
    chip = chip_1(pki)
    challenges = set()
    for _ in range(2):
        present(chip, pki)
        chip.answer(messages.encode_set_at(AuthenticationTemplate(TERMINAL)))
        challenges.add(chip.answer(messages.encode_get_challenge()).data)
        assert refusal(chip, messages.encode_get_challenge()) == 0x6985
    assert len(challenges) == 2


def present(chip: TaChip, pki: TerminalPki) -> None:
    for raw, issuer in zip(pki.chain(), (CVCA, DV), strict=True):
        chip.answer(messages.encode_set_dst(issuer))
        chip.answer(messages.encode_verify_certificate(raw))


@pytest.mark.parametrize("defect", ["signature", "expired", "skipped", "foreign"])
def test_a_bad_chain_is_refused(defect: str) -> None:
    pki = build_terminal_pki()
    chip = chip_1(pki)
    dv, terminal = pki.chain()
    chip.answer(messages.encode_set_dst(CVCA))
    match defect:
        case "signature":
            command = messages.encode_verify_certificate(dv[:-1] + bytes((dv[-1] ^ 1,)))
        case "expired":
            chip.card.trust = replace(chip.card.trust, today=BEGIN.replace(year=2030))
            command = messages.encode_verify_certificate(dv)
        case "skipped":
            command = messages.encode_verify_certificate(terminal)
        case _:
            command = messages.encode_verify_certificate(replace(pki, cvca=ec_signer("impostor")).dv_certificate())
    before = chip.card.trust
    assert refusal(chip, command) == 0x6300
    assert chip.card.trust == before
    assert refusal(chip, messages.encode_set_dst(DV)) == 0x6A88
    assert refusal(chip, messages.encode_set_at(AuthenticationTemplate(TERMINAL))) == 0x6A88


def test_certificates_that_are_none() -> None:
    pki = build_terminal_pki()
    chip = chip_1(pki)
    off_curve = replace(pki, dv=ec_signer("dv-384", curve="P-384")).dv_certificate()
    for data in (b"", b"\x7f\x4e\x00\x5f\x37\x00", messages.encode_verify_certificate(off_curve).data):
        chip.answer(messages.encode_set_dst(CVCA))
        assert refusal(chip, CommandAPDU(0, 0x2A, 0, 0xBE, data)) == 0x6A80
    assert refusal(chip, messages.encode_verify_certificate(pki.dv_certificate())) == 0x6985


def test_set_at_refusals() -> None:
    pki = build_terminal_pki()
    chip = chip_1(pki)
    for template, sw in (
        (AuthenticationTemplate(DV), 0x6A88),
        (AuthenticationTemplate(TERMINAL, "0.4.0.127.0.7.2.2.2.2.5"), 0x6A80),
        (AuthenticationTemplate(TERMINAL, None, KEY), 0x6985),
        (AuthenticationTemplate(TERMINAL, None, None, AUXILIARY), 0x6A80),
        (AuthenticationTemplate(TERMINAL, None, None, b"\x67\x02\x53\x00"), 0x6A80),
    ):
        present(chip, pki)
        assert refusal(chip, messages.encode_set_at(template)) == sw
    for data in (b"", b"\x83\x00", b"\x84\x01\x01", messages.encode_set_at(AuthenticationTemplate(DV)).data * 2):
        present(chip, pki)
        assert refusal(chip, CommandAPDU(0, 0x22, 0x81, 0xA4, data)) == 0x6A80
    chip.answer(messages.encode_set_dst(CVCA))
    chip.answer(messages.encode_verify_certificate(pki.dv_certificate()))
    assert refusal(chip, messages.encode_set_at(AuthenticationTemplate(DV))) == 0x6A88  # a DV is no terminal


@pytest.mark.parametrize("chat", [None, Chat(ID_IS, b"\x03")])
def test_version_2_needs_pace_for_its_type_of_terminal(chat: Chat | None) -> None:
    pki = build_authentication_pki()
    chip = chip_2(pki, chat)
    present(chip, pki)
    assert refusal(chip, messages.encode_set_at(AuthenticationTemplate(TERMINAL, None, KEY))) == 0x6985


def test_version_2_needs_the_ephemeral_key() -> None:
    pki = build_authentication_pki()
    chip = chip_2(pki)
    present(chip, pki)
    assert refusal(chip, messages.encode_set_at(AuthenticationTemplate(TERMINAL))) == 0x6985


def test_forms() -> None:
    pki = build_terminal_pki()
    chip = chip_1(pki)
    assert refusal(chip, CommandAPDU(0, 0x22, 0x81, 0xB6, b"\x83\x00")) == 0x6A80
    assert refusal(chip, messages.encode_set_dst("XXOTHER00001")) == 0x6A88
    assert refusal(chip, messages.encode_get_challenge()) == 0x6985
    for command, sw in ((CommandAPDU(0, 0x84, 1, 0, le=8), 0x6A86), (CommandAPDU(0, 0x84, 0, 0, le=16), 0x6700)):
        present(chip, pki)
        chip.answer(messages.encode_set_at(AuthenticationTemplate(TERMINAL)))
        assert chip.card.awaits_challenge
        assert refusal(chip, command) == sw
    present(chip, pki)
    chip.answer(messages.encode_set_at(AuthenticationTemplate(TERMINAL)))
    chip.answer(messages.encode_get_challenge())
    assert chip.card.awaits_signature
    assert refusal(chip, CommandAPDU(0, 0x82, 0, 1, bytes(64))) == 0x6A86


def test_id_picc_after_bac() -> None:
    assert core.identify_by_document_number(b"L898902C<369080619406236") == b"L898902C<3"


@given(st.binary(max_size=80))
def test_auxiliary_data_round_trip_or_refusal(raw: bytes) -> None:
    try:
        messages.decode_auxiliary_data(raw)
        messages.decode_set_at(raw)
    except DecodeError:
        pass
    assert messages.decode_auxiliary_data(AUXILIARY) == (AuxiliaryDatum("0.4.0.127.0.7.3.1.4.1", b"20080101"),)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([(0x22, 0xB6), (0x22, 0xA4), (0x2A, 0xBE), (0x84, 0), (0x82, 0)]), st.binary(max_size=60)
        ),
        max_size=5,
    )
)
def test_card_survives_anything(commands: list[tuple[tuple[int, int], bytes]]) -> None:
    chip = chip_1(build_terminal_pki())
    for (ins, p2), data in commands:
        chip.transmit(CommandAPDU(0, ins, 0x81, p2, data).encode())
    assert chip.terminal is None
