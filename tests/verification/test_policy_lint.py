"""An unsafe policy is called unsafe: each hazard by the statement that brings it, and none without."""

from __future__ import annotations

from importlib.resources import files

import pytest

from eid.verification.policy import Policy, decode_policy, load_policy, shipped_policies
from eid.verification.policy_lint import UNSAFE, Hazard

STRICT = (files("eid.verification") / "policies" / "strict.toml").read_text("utf-8")


def strict_but(before: str, after: str) -> Policy:
    assert before in STRICT, before
    return decode_policy(STRICT.replace(before, after, 1).encode())


ALGORITHMS = "[algorithms]\n"
CASES = {
    Hazard.REVOCATION_OPTIONAL: ('"ds.revocation", ', ""),
    Hazard.STALE_CRL_ACCEPTED: (ALGORITHMS, f"crl_grace_days = 31\n{ALGORITHMS}"),
    Hazard.ALGORITHMS_UNCHECKED: ('"sod.algorithms", ', ""),
    Hazard.WEAK_KEYS_ACCEPTED: ("rsa_bits = 2048", "rsa_bits = 1023"),
    Hazard.VALIDITY_OPTIONAL: ('"ds.validity", ', ""),
    Hazard.UNSIGNED_FIELDS_ACCEPTED: (ALGORITHMS, f'tolerated = ["UNSIGNED_ATTRIBUTES"]\n{ALGORITHMS}'),
    Hazard.COLLIDING_HASH_ACCEPTED: ('"sha224"', '"sha1", "sha224"'),
    Hazard.OTHER_CONTENT_ACCEPTED: (ALGORITHMS, f'tolerated = ["CONTENT_TYPE"]\n{ALGORITHMS}'),
    Hazard.SIGNING_TIME_BELIEVED: (ALGORITHMS, f'reference_time = "signing_time"\n{ALGORITHMS}'),
    Hazard.COPY_ACCEPTED: ('required_one_of = [["chip.aa", "chip.ca", "chip.pace_cam"]]\n', ""),
    Hazard.RECORDING_ACCEPTED: ("issued_challenge = true\n", ""),
    Hazard.DOWNGRADE_ACCEPTED: ("refuse_downgrade = true\n", ""),
    Hazard.FOREIGN_CURVES_ACCEPTED: (ALGORITHMS, f"foreign_curves = true\n{ALGORITHMS}"),
    Hazard.FOREIGN_SIGNER_ACCEPTED: ('"consistency.issuer", ', ""),
    Hazard.EXPIRED_ACCEPTED: (', "document.validity"', ""),
    Hazard.PORTRAIT_UNBOUND: ('data_groups = ["DG1", "DG2"]', 'data_groups = ["DG1"]'),
}


@pytest.mark.parametrize("hazard", Hazard)
def test_each_statement_brings_its_hazard_and_no_other(hazard: Hazard) -> None:
    policy = strict_but(*CASES[hazard])
    assert policy.hazards == (hazard,)
    assert policy.is_unsafe is (hazard in UNSAFE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("rsa_bits = 2048", "rsa_bits = 1024"),
        ("ec_bits = 224", "ec_bits = 160"),
        (ALGORITHMS, f"crl_grace_days = 30\n{ALGORITHMS}"),
        (ALGORITHMS, f'tolerated = ["NOT_DER", "SET_ORDER"]\n{ALGORITHMS}'),
        ("refuse_downgrade = true\n", 'access = ["pace"]\n'),
        ('[["chip.aa", "chip.ca", "chip.pace_cam"]]', '[["chip.ca"], ["access"]]'),
    ],
)
def test_what_is_no_hazard(before: str, after: str) -> None:
    assert strict_but(before, after).hazards == ()


@pytest.mark.parametrize(
    ("chip", "accepted"),
    [
        ('[["chip.aa", "chip.ca"]]', True),
        ('[["chip.aa", "chip.ca"], ["chip.ca"]]', False),
        ('[["chip.ca", "chip.pace_cam"]]', False),
    ],
)
def test_where_a_recording_suffices(chip: str, accepted: bool) -> None:
    stated = STRICT.replace("issued_challenge = true\n", "").replace('[["chip.aa", "chip.ca", "chip.pace_cam"]]', chip)
    assert decode_policy(stated.encode()).hazards == ((Hazard.RECORDING_ACCEPTED,) if accepted else ())


def test_weak_curves() -> None:
    assert strict_but("ec_bits = 224", "ec_bits = 159").hazards == (Hazard.WEAK_KEYS_ACCEPTED,)


def test_a_chip_that_may_be_left_out_proves_nothing() -> None:
    policy = strict_but('[["chip.aa", "chip.ca", "chip.pace_cam"]]', '[["chip.aa", "access"]]')
    assert policy.hazards == (Hazard.COPY_ACCEPTED,)


def test_what_the_shipped_policies_leave_open() -> None:
    """Whoever changes a policy says here what it costs."""
    found = {name: set(load_policy(name).hazards) for name in shipped_policies()}
    assert found == {
        "strict": set(),
        "kyc-remote": set(),
        "national": set(),
        "offline-mobile": set(),
        "age-only": {Hazard.PORTRAIT_UNBOUND},
        "border": {
            Hazard.COLLIDING_HASH_ACCEPTED,
            Hazard.OTHER_CONTENT_ACCEPTED,
            Hazard.COPY_ACCEPTED,
            Hazard.DOWNGRADE_ACCEPTED,
        },
        "passive": {
            Hazard.REVOCATION_OPTIONAL,
            Hazard.COLLIDING_HASH_ACCEPTED,
            Hazard.COPY_ACCEPTED,
            Hazard.DOWNGRADE_ACCEPTED,
            Hazard.FOREIGN_SIGNER_ACCEPTED,
            Hazard.EXPIRED_ACCEPTED,
            Hazard.PORTRAIT_UNBOUND,
        },
    }
    assert [name for name in shipped_policies() if load_policy(name).is_unsafe] == ["passive"]
