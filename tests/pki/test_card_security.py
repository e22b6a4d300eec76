from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from eid.codec import cms
from eid.codec.defect import Defect, DefectCode
from eid.codec.x509 import decode_certificate
from eid.errors import DecodeError, LifecycleError
from eid.keystore.ports import KeyStore
from eid.lds.card_security import decode_card_security
from eid.lds.security_infos import (
    ID_CA_ECDH,
    ID_PACE_ECDH_CAM,
    ID_PK_ECDH,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PACEInfo,
    SecurityInfo,
    TerminalAuthenticationInfo,
    encode_security_infos,
)
from eid.pki.card_security import sign_card_security
from tests.builders.authority import NOW, Authority, build_authority, fresh_label


@pytest.fixture
def made(software_store: KeyStore) -> Authority:
    keys = [software_store.generate_ec(fresh_label(), curve) for curve in ("brainpoolP384r1", "brainpoolP256r1")]
    return build_authority(keys[0], keys[1], explicit=False)


def infos(made: Authority) -> tuple[SecurityInfo, ...]:
    return (
        PACEInfo(f"{ID_PACE_ECDH_CAM}.2", parameter_id=13),
        ChipAuthenticationInfo(f"{ID_CA_ECDH}.2", 2, 1),
        ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, made.ds_signer.public_key_info, 1),
        TerminalAuthenticationInfo(version=2),
    )


@pytest.mark.parametrize("by_key_identifier", [False, True])
def test_openssl_accepts_it_and_notices_a_changed_octet(
    made: Authority, by_key_identifier: bool, require_tool: Callable[[str], Path], tmp_path: Path
) -> None:
    raw = sign_card_security(
        infos(made), made.ds_signer, made.ds, signing_time=NOW, by_key_identifier=by_key_identifier
    )
    content = encode_security_infos(infos(made))
    forged = raw.replace(content, content[:-1] + bytes((content[-1] ^ 1,)))
    assert forged != raw
    (tmp_path / "csca.pem").write_text(ssl.DER_cert_to_PEM_cert(made.csca))
    openssl = require_tool("openssl")
    for name, file, accepted in (("good", raw, True), ("forged", forged, False)):
        (tmp_path / name).write_bytes(file)
        result = subprocess.run(
            [
                openssl, "cms", "-verify", "-inform", "DER", "-in", name, "-CAfile", "csca.pem", "-purpose", "any",
                "-attime", str(int(NOW.timestamp())), "-binary", "-out", f"{name}.out",
            ],
            cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
        assert (result.returncode == 0) is accepted, result.stderr
    assert (tmp_path / "good.out").read_bytes() == content


def test_it_is_read_back_strictly(made: Authority) -> None:
    decoded = decode_card_security(sign_card_security(infos(made), made.ds_signer, made.ds, signing_time=NOW))
    assert set(decoded.security_infos) == set(infos(made))
    assert decoded.public_keys == (infos(made)[2],)
    assert decoded.certificates == (made.ds,)
    assert decoded.signed_data.signer_info.serial == decode_certificate(made.ds).serial


def test_the_wrong_key_and_the_wrong_time_are_refused(made: Authority) -> None:
    for signer, time in ((made.csca_signer, NOW), (made.ds_signer, NOW + timedelta(days=365))):
        with pytest.raises(LifecycleError):
            sign_card_security(infos(made), signer, made.ds, signing_time=time)


def test_the_signer_is_named_by_its_key_identifier(made: Authority) -> None:
    raw = sign_card_security(infos(made), made.ds_signer, made.ds, signing_time=NOW, by_key_identifier=True)
    assert decode_card_security(raw).signed_data.signer_info.subject_key_identifier


def test_a_second_certificate_is_a_defect(made: Authority) -> None:
    signed = decode_card_security(
        sign_card_security(infos(made), made.ds_signer, made.ds, signing_time=NOW)
    ).signed_data
    info = signed.signer_info
    assert info.issuer_raw is not None
    assert info.serial is not None
    assert info.signed_attributes is not None
    raw = cms.encode_signed_data(
        content_type=signed.content_type,
        content=signed.content,
        digest_algorithm=info.digest_algorithm,
        certificates=(made.ds, made.csca),
        signer_info=cms.encode_signer_info(
            signer=(info.issuer_raw, info.serial),
            digest_algorithm=info.digest_algorithm,
            signed_attributes=info.signed_attributes.stored,
            signature_algorithm=info.signature_algorithm,
            signature=info.signature,
        ),
    )
    with pytest.raises(DecodeError, match="certificate"):
        decode_card_security(raw)
    defects: list[Defect] = []
    assert set(decode_card_security(raw, defects).certificates) == {made.ds, made.csca}
    assert [item.code for item in defects] == [DefectCode.CERTIFICATE_COUNT]
