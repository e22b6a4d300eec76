"""Verifying documents as a service: a challenge is issued, consumed once, and only then is its evidence judged.

The challenge is consumed in a transaction of its own *before* the check, on success and failure alike: a second try
with the same challenge, or a second of two simultaneous ones, finds it gone. What is kept of a verification is its
report; the evidence is dropped when the function returns.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine

from eid.errors import NotStoredError, ProfileError, StoreError
from eid.evidence.codec import SignedEvidence
from eid.pki.trust_store import TrustStore
from eid.services.database import open_store
from eid.services.settings import Settings
from eid.services.trust.files import load_trust_store
from eid.services.verifying.stations import NO_STATIONS, Stations, load_stations
from eid.services.verifying.status_shelf import StatusShelf, shelf_of
from eid.services.verifying.submission import Submission, Upload, build_evidence
from eid.store.database import in_transaction
from eid.store.verification_sessions import (
    VerificationSession,
    consume_challenge,
    create_session,
    decide_session,
    expire_sessions,
    forget_sessions,
    load_session,
)
from eid.verification.policy import Policy, load_policy, shipped_policies
from eid.verification.report import VerificationReport, report_to_json
from eid.verification.status_lists import NO_STATUS_LISTS
from eid.verification.verify import verify

CHALLENGE_LENGTH: Final = 8  # RND.IFD, Doc 9303-11 6.1
LIFETIME: Final = timedelta(minutes=5)
RETENTION: Final = timedelta(hours=24)  # of a report, after its verification's time was over
SWEEP: Final = timedelta(minutes=1)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class VerificationService:
    """Issues challenges and judges what answers them.

    Args:
        trust: accepted certificates and CRLs; must hold an anchor.
        stations: keys of the inspection stations whose word counts. status: the status lists at hand.
        lifetime: how long a challenge waits for its answer.
    """

    def __init__(
        self,
        engine: Engine,
        trust: TrustStore,
        stations: Stations = NO_STATIONS,
        status: StatusShelf | None = None,
        *,
        lifetime: timedelta = LIFETIME,
        clock: Callable[[], datetime] = _utc_now,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.trust: Final = require_anchors(trust)
        self.policies: Final[Mapping[str, Policy]] = {name: load_policy(name) for name in shipped_policies()}
        self._engine = engine
        self._stations = stations
        self._status = status
        self._lifetime = lifetime
        self._clock = clock
        self._random = random
        self._swept_at: datetime | None = None

    def now(self) -> datetime:
        """The service's clock, UTC."""
        return self._clock()

    def policy(self, name: str) -> Policy:
        """The policy with this name, one of those that come with the system.

        Raises:
            ProfileError: there is none.
        """
        if name not in self.policies:
            raise ProfileError(f"no such policy; there are {', '.join(self.policies)}")
        return self.policies[name]

    def create(self, purpose: str, policy: str) -> VerificationSession:
        """Open a verification with a fresh challenge.

        Raises:
            ProfileError: there is no such policy. StoreError: it cannot be kept.
        """
        self.policy(policy)
        now, challenge = self._clock(), self._random(CHALLENGE_LENGTH)

        def work(connection: Connection) -> VerificationSession:
            self._sweep(connection, now)
            return create_session(
                connection, challenge=challenge, policy=policy, purpose=purpose, now=now, lifetime=self._lifetime
            )

        return in_transaction(self._engine, work)

    def find(self, session_id: uuid.UUID) -> VerificationSession:
        """The verification with this identifier; one that nobody answered in time is expired, swept or not.

        Raises:
            NotStoredError: there is none. StoreError: the database failed.
        """
        session = in_transaction(self._engine, lambda connection: load_session(connection, session_id))
        if session is None:
            raise NotStoredError("there is no such verification session")
        if session.state == "CREATED" and session.expires_at <= self._clock():
            return replace(session, state="EXPIRED")
        return session

    def submit(self, session_id: uuid.UUID, submission: Submission) -> VerificationReport:
        """Judge evidence against the challenge of its verification, once.

        Raises:
            NotStoredError: there is no such verification. AlreadyDoneError: evidence came before.
            TooLateError: its time is over. StoreError: the database failed; then the challenge may be spent.
        """
        now = self._clock()
        session = in_transaction(self._engine, lambda connection: consume_challenge(connection, session_id, now))
        report = self._judge(submission, self.policy(session.policy), now, session.challenge)
        result = report_to_json(report)
        in_transaction(self._engine, lambda connection: decide_session(connection, session_id, result, self._clock()))
        return report

    def authenticate_passively(self, sod: bytes, data_groups: Mapping[int, bytes], policy: str) -> VerificationReport:
        """Judge files alone; nothing is kept (Doc 9303-11 5.1).

        Raises:
            ProfileError: there is no such policy.
        """
        return self._judge(Upload(sod, data_groups), self.policy(policy), self._clock(), None)

    def _judge(
        self, submission: Submission, policy: Policy, now: datetime, challenge: bytes | None
    ) -> VerificationReport:
        return verify(
            build_evidence(submission, now=now, challenge=challenge),
            self.trust,
            policy,
            time=now,
            expected_challenge=challenge,
            envelope=submission if isinstance(submission, SignedEvidence) else None,
            stations=self._stations,
            status_lists=NO_STATUS_LISTS if self._status is None else self._status.lists(now),
        )

    def _sweep(self, connection: Connection, now: datetime) -> None:
        """Close what nobody answered and delete what is past its retention, now and then."""
        if self._swept_at is not None and timedelta() <= now - self._swept_at < SWEEP:
            return
        expire_sessions(connection, now)
        forget_sessions(connection, now - RETENTION)
        self._swept_at = now


def require_anchors(trust: TrustStore) -> TrustStore:
    """A trust store at which a path can end; no verdict could ever pass without one.

    Raises:
        StoreError: it holds no usable CSCA certificate.
    """
    if not trust.anchors:
        raise StoreError("the trust store holds no usable CSCA certificate: run `eid trust import`")
    return trust


def open_verification_service(settings: Settings) -> VerificationService:
    """The service that the settings describe; a database without tables is given them.

    Raises:
        StoreError: the trust store is missing or empty, a station's key is malformed, or the database is of another
            version.
    """
    trust = require_anchors(load_trust_store(settings.trust_directory))
    status = StatusShelf(shelf_of(settings.trust_directory), trust)
    directory = settings.stations_directory
    stations = NO_STATIONS if directory is None else load_stations(directory)
    return VerificationService(
        open_store(settings), trust, stations, status, lifetime=timedelta(seconds=settings.challenge_seconds)
    )
