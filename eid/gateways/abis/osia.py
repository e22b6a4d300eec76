"""A biometric identification system over HTTP, by OSIA's ABIS interface 1.6.0."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import quote, urlencode

from eid.errors import DecodeError, GatewayError
from eid.gateways.abis import ALL_GALLERIES, Candidate, Encounter, Pending
from eid.gateways.abis.messages import decode_candidates, decode_task, encode_encounter
from eid.gateways.http import Location, ending_after

SECONDS: Final = 30.0
MAX_ANSWER: Final = 1 << 20  # octets
CANDIDATES: Final = 20
Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class OsiaAbis:
    """A system at a place that the operator configured, usually inside his own network.

    Args:
        place: scheme, host, port; target: a prefix of the paths, "" for none. token: bearer token.
        callback: where late answers are to be sent, "" where the system is to answer at once.
        threshold: on the system's own scale; None leaves it to the system.
    """

    place: Location
    token: str = field(default="", repr=False)
    callback: str = ""
    threshold: float | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def create_encounter(self, encounter: Encounter, transaction: str) -> None:
        """POST /v1/persons/{personId}/encounters/{encounterId} (createEncounter)."""
        # Without a callback the system answers at once: a search right after it must find what was kept.
        status, _ = self._call(
            "POST", _encounter_path(encounter), {"transactionId": transaction}, encode_encounter(encounter)
        )
        if status not in (201, 409):  # 409: kept by an earlier attempt
            raise GatewayError(f"the ABIS answered to createEncounter with status {status}")

    def identify(self, encounter: Encounter, transaction: str) -> tuple[Candidate, ...] | Pending:
        """POST /v1/identify/{galleryId}/{personId}/encounters/{encounterId} (identifyFromEncounterId)."""
        path = f"/v1/identify/{ALL_GALLERIES}{_encounter_path(encounter).removeprefix('/v1/persons')}"
        query = {"transactionId": transaction, "maxNbCand": str(CANDIDATES)}
        if self.callback:
            query["callback"] = self.callback
        if self.threshold is not None:
            query["threshold"] = str(self.threshold)
        status, answer = self._call("POST", path, query, {})
        try:
            if status == 200:
                return decode_candidates(answer)
            if status == 202:
                return Pending(decode_task(answer))
        except DecodeError as failure:
            raise GatewayError(f"the ABIS answered something else than OSIA's: {failure}") from failure
        raise GatewayError(f"the ABIS answered to identifyFromEncounterId with status {status}")

    def delete_encounter(self, encounter: Encounter, transaction: str) -> None:
        """DELETE /v1/persons/{personId}/encounters/{encounterId} (deleteEncounter)."""
        status, _ = self._call("DELETE", _encounter_path(encounter), {"transactionId": transaction}, None)
        if status not in (204, 404):
            raise GatewayError(f"the ABIS answered to deleteEncounter with status {status}")

    def redeliver(self, task: str) -> bool:
        """POST /v1/tasks/{taskId}/redeliver (redeliverTaskResult)."""
        status, _ = self._call("POST", f"/v1/tasks/{quote(task, safe='')}/redeliver", {}, None)
        if status not in (204, 404, 409):
            raise GatewayError(f"the ABIS answered to redeliverTaskResult with status {status}")
        return status != 404  # 409: there is such a task, and no answer to it yet

    def _call(self, method: str, path: str, query: Query, body: Any) -> tuple[int, Any]:
        target = self.place.target.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        raw = None if body is None else json.dumps(body).encode("ascii")
        if raw is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connect()
        try:
            with ending_after(connection, 2 * SECONDS):
                connection.request(method, target, raw, headers)
                response = connection.getresponse()
                return response.status, _decode_answer(response.read(MAX_ANSWER + 1))
        except (OSError, HTTPException) as failure:
            raise GatewayError(f"the ABIS cannot be reached: {type(failure).__name__}") from failure

    def _connect(self) -> HTTPConnection:
        place = self.place
        if place.scheme == "https":
            context = self.tls or ssl.create_default_context()
            return HTTPSConnection(place.host, place.port, timeout=SECONDS, context=context)
        return HTTPConnection(place.host, place.port, timeout=SECONDS)


def _encounter_path(encounter: Encounter) -> str:
    return f"/v1/persons/{quote(encounter.person, safe='')}/encounters/{quote(encounter.encounter, safe='')}"


def _decode_answer(raw: bytes) -> Any:
    """A JSON answer; None where there is none, or it is none."""
    if len(raw) > MAX_ANSWER:
        raise GatewayError(f"the ABIS answered with over {MAX_ANSWER} octets")
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return None
