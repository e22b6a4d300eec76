"""PACE over curves that EF.CardAccess writes out and no standard names: OpenPACE's libeac reads them there as we do.

It computes with OpenSSL's general curve arithmetic, ours with integers. Both ends of ours, each against the other's.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from eid.codec.spki import EcParameters, encode_ec_parameters
from eid.crypto.foreign_curves import validate_curve
from eid.errors import LocalProtocolError, PeerProtocolError, WrongPasswordError
from eid.protocols.exchange import drive
from eid.protocols.pace.card import PaceCard
from eid.protocols.pace.core import Password
from eid.protocols.pace.terminal import run_pace
from tests.builders.chip import Chip
from tests.builders.foreign_curves import FRP256V1, MADE_UP, SECP256K1, card_access
from tests.builders.machine import missing
from tests.interop.conftest import Control
from tests.interop.libeac.openpace import PACE_CAN, Library, Pace
from tests.interop.libeac.test_pace import CAN, LibeacCard, assert_same_keys, run_libeac_terminal

WHO = "libeac"
CURVES = pytest.mark.parametrize("parameters", [MADE_UP, FRP256V1, SECP256K1], ids=["made up", "FRP256v1", "secp256k1"])


def start(library: Library, parameters: EcParameters, password: Password = CAN) -> Pace:
    return Pace.announced(library, card_access(parameters).encode(), password.value, PACE_CAN)


@pytest.mark.proves(WHO, "our terminal", "PACE GM over a curve that the chip writes out")
@CURVES
def test_our_terminal_with_their_card(library: Library, parameters: EcParameters) -> None:
    (info,) = card_access(parameters).pace_infos
    with start(library, parameters) as theirs:
        result = drive(run_pace(info, CAN, foreign_curves=True), LibeacCard(theirs))
        assert result.group.startswith("explicit-256-")
        assert_same_keys(result.secure_messaging, theirs)


@pytest.mark.proves(WHO, "our card", "PACE GM over a curve that the chip writes out")
@CURVES
def test_their_terminal_with_our_card(library: Library, parameters: EcParameters) -> None:
    (info,) = card_access(parameters).pace_infos
    chip = Chip({}, pace=PaceCard([info], {CAN.id: CAN.value}.get))
    with start(library, parameters) as theirs:
        assert run_libeac_terminal(theirs, chip, info, CAN) == b"\x90\x00"
        assert chip.session is not None
        assert_same_keys(chip.session, theirs)


@pytest.mark.proves(WHO, "both", "PACE over a curve that the chip writes out: a wrong CAN is refused", Control.REFUSED)
def test_a_wrong_password_is_refused(library: Library) -> None:
    (info,) = card_access(MADE_UP).pace_infos
    wrong = replace(CAN, value=b"654321")
    with start(library, MADE_UP) as theirs, pytest.raises(WrongPasswordError):
        drive(run_pace(info, wrong, foreign_curves=True), LibeacCard(theirs))
    chip = Chip({}, pace=PaceCard([info], {CAN.id: CAN.value}.get))
    with start(library, MADE_UP, wrong) as theirs:
        assert run_libeac_terminal(theirs, chip, info, CAN) == b"\x63\x00"
    assert chip.session is None


def test_without_the_switch_no_command_is_sent(library: Library) -> None:
    (info,) = card_access(MADE_UP).pace_infos
    with start(library, MADE_UP) as theirs, pytest.raises(LocalProtocolError, match="not supported"):
        drive(run_pace(info, CAN), LibeacCard(theirs))


def openssl_accepts(parameters: EcParameters, folder: Path) -> bool:
    """`openssl ecparam -check`: the equation, the base point and its order."""
    file = folder / "parameters.der"
    file.write_bytes(encode_ec_parameters(parameters))
    command = ["openssl", "ecparam", "-inform", "DER", "-in", str(file), "-check", "-noout"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "failed" not in done.stdout + done.stderr


@pytest.mark.proves("openssl", "our terminal", "EC domain parameters judged alike")
@CURVES
def test_openssl_judges_alike(parameters: EcParameters, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        missing("openssl is not on this machine")
    validate_curve(parameters)
    assert openssl_accepts(parameters, tmp_path)
    moved = parameters.generator[:-1] + bytes((parameters.generator[-1] ^ 1,))
    for spoilt in (
        replace(parameters, n=parameters.n - 2),
        replace(parameters, generator=moved),
        replace(parameters, b=(parameters.b + 1) % parameters.p),
        replace(parameters, a=0, b=0),
    ):
        assert not openssl_accepts(spoilt, tmp_path)
        with pytest.raises(PeerProtocolError):
            validate_curve(spoilt)
