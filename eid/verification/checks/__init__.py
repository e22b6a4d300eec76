"""The checks, one file each, in the order in which they run. The tuple is the registry."""

from __future__ import annotations

from typing import Final

from eid.verification.checks.access import ACCESS
from eid.verification.checks.access_parameters import ACCESS_PARAMETERS
from eid.verification.checks.active_authentication import ACTIVE_AUTHENTICATION
from eid.verification.checks.algorithms import ALGORITHMS
from eid.verification.checks.certificate_path import CERTIFICATE_PATH
from eid.verification.checks.check import Check, Shortfall
from eid.verification.checks.chip_authentication import CHIP_AUTHENTICATION
from eid.verification.checks.csca_trust import CSCA_TRUST
from eid.verification.checks.data_group_hashes import DATA_GROUP_HASHES
from eid.verification.checks.deviations import DEVIATIONS
from eid.verification.checks.document_status import DOCUMENT_STATUS
from eid.verification.checks.document_type import DOCUMENT_TYPE
from eid.verification.checks.document_validity import DOCUMENT_VALIDITY
from eid.verification.checks.issuer_consistency import ISSUER_CONSISTENCY
from eid.verification.checks.mrz_consistency import MRZ_CONSISTENCY
from eid.verification.checks.pace_cam import PACE_CAM
from eid.verification.checks.reference_time import REFERENCE_TIME
from eid.verification.checks.revocation import REVOCATION
from eid.verification.checks.sod_format import SOD_FORMAT
from eid.verification.checks.sod_signature import SOD_SIGNATURE
from eid.verification.checks.station_signature import STATION_SIGNATURE
from eid.verification.checks.usage_period import USAGE_PERIOD
from eid.verification.checks.validity import VALIDITY

CHECKS: Final[tuple[Check, ...]] = (
    STATION_SIGNATURE,
    SOD_FORMAT,
    SOD_SIGNATURE,
    ALGORITHMS,
    DATA_GROUP_HASHES,
    CERTIFICATE_PATH,
    REFERENCE_TIME,
    CSCA_TRUST,
    VALIDITY,
    USAGE_PERIOD,
    DOCUMENT_TYPE,
    REVOCATION,
    DEVIATIONS,
    ACCESS,
    ACCESS_PARAMETERS,
    CHIP_AUTHENTICATION,
    PACE_CAM,
    ACTIVE_AUTHENTICATION,
    MRZ_CONSISTENCY,
    ISSUER_CONSISTENCY,
    DOCUMENT_VALIDITY,
    DOCUMENT_STATUS,
)

__all__ = ["CHECKS", "Check", "Shortfall"]
