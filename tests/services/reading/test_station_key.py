from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from eid.errors import KeyStoreError
from eid.evidence.codec import decode_signed_evidence
from eid.keystore.pkcs8 import ScryptCost
from eid.keystore.software import SoftwareKeyStore
from eid.services.reading.station_key import StationKeys, sign_by_station
from eid.services.verifying.judgement import judge
from eid.services.verifying.stations import load_stations
from tests.builders import document as built

COST = ScryptCost(n=16)
PASSPHRASE = b"SPECIMEN"


def keys(home: Path, passphrase: bytes = PASSPHRASE) -> StationKeys:
    return StationKeys(home, lambda: passphrase, COST)


def test_made_loaded_and_believed(tmp_path):
    """What the key signs verifies under the public key that was laid down."""
    station = keys(tmp_path / "home")
    assert not station.has()
    made = station.make()
    assert station.has()
    signer = keys(tmp_path / "home").load()
    assert signer.public_key_info == made.public_key_info
    document = built.build_document()
    signed = decode_signed_evidence(sign_by_station(document.evidence(), signer))
    stations = load_stations(tmp_path / "home" / "stations")
    report = judge(signed, document.trust(), now=built.NOW, stations=stations).report
    outcome = report.check("station.signature")
    assert outcome is not None
    assert outcome.outcome == "PASSED"
    assert os.stat(tmp_path / "home").st_mode & 0o777 == 0o700


def test_public_key_is_what_openssl_reads(tmp_path, require_tool):
    station = keys(tmp_path / "home")
    station.make("gate-1")
    said = subprocess.run(
        [require_tool("openssl"), "pkey", "-pubin", "-in", station.public_key_path("gate-1"), "-noout", "-text"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "P-256" in said


def test_refusals(tmp_path):
    station = keys(tmp_path)
    with pytest.raises(KeyStoreError):
        station.load()
    station.make()
    with pytest.raises(KeyStoreError):
        station.make()
    with pytest.raises(KeyStoreError):
        keys(tmp_path, b"wrong").load()
    with pytest.raises(KeyStoreError):
        station.make("../out")


@pytest.mark.parametrize("curve", ["P-384", "brainpoolP256r1"])
def test_a_key_of_another_curve_signs_no_evidence(tmp_path, curve):
    station = keys(tmp_path)
    SoftwareKeyStore(tmp_path / "keys", PASSPHRASE, cost=COST).generate_ec("station", curve)
    with pytest.raises(KeyStoreError, match="no P-256 key"):
        station.load()


def test_an_rsa_key_signs_no_evidence(tmp_path):
    station = keys(tmp_path)
    SoftwareKeyStore(tmp_path / "keys", PASSPHRASE, cost=COST).generate_rsa("station", 2048)
    with pytest.raises(KeyStoreError):
        station.load()


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KeyStoreError):
        keys(tmp_path / "file")
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "stations").touch()
    with pytest.raises(KeyStoreError):
        keys(tmp_path / "home").make()
    (tmp_path / "other" / "stations" / "station.pem").mkdir(parents=True)
    (tmp_path / "other").chmod(0o700)
    with pytest.raises(KeyStoreError):
        keys(tmp_path / "other").make()
