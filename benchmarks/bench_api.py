"""`POST /v1/passive-authentication`, one worker, beside the same check without HTTP.

The API is a process of its own, asked over connections that are kept open; the ceiling is the service that it calls,
in this process. Both are measured in processor time of their own process, in turns, so that neither this client nor
other programs count. API and client share one core, of which the ceiling has as much: a client on the core beside
it would take its caches and, where they are threads of one, its units, and nobody does so to the ceiling. The client
does next to nothing: its requests are made beforehand, and it sends and takes in a whole one with one call each.

Documents are P-256, in the rows "new" each with a signer of its own that is not remembered, in the rows "seen" all with
one. With --memory the API's resident memory is told while it answers so many requests.

Usage: bench_api.py [--seconds S] [--memory REQUESTS]
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterable
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from _measure import judge
from _specimen import NOW, Issuer, build_issuer, data_groups, lds_security_object

from eid.pki.crl import build_crl
from eid.services.demonstration.api_process import ApiClient, api_process
from eid.services.trust.files import load_trust_store
from eid.services.trust.imports import import_trust
from eid.services.verifying.verification import VerificationService
from eid.store.database import open_database
from eid.verification.report import Verdict
from eid.verification.signers import REMEMBERED

TARGET = 0.5  # of the rate without HTTP
PATH = "/v1/passive-authentication"
POLICY = "border"
TURN = 500  # requests
CONNECTIONS = 8
SIGNERS = {"new": REMEMBERED + 32, "seen": 1}
PAGE = os.sysconf("SC_PAGE_SIZE")
Document = tuple[bytes, dict[int, bytes]]


def write_trust(issuer: Issuer, folder: Path) -> None:
    """A trust store on disk with the issuer's CSCA and CRL."""
    crl = build_crl(
        issuer.csca, issuer.csca_certificate, number=1, this_update=NOW, next_update=NOW.replace(year=NOW.year + 1)
    )
    files = folder / "csca.cer", folder / "csca.crl"
    for path, raw in zip(files, (issuer.csca_certificate, crl), strict=True):
        path.write_bytes(raw)
    import_trust(folder / "trust", files, unsigned=True, now=NOW)


def build_documents(issuer: Issuer, count: int) -> list[Document]:
    """Documents of as many signers."""
    groups = data_groups()
    content, numbered = lds_security_object(groups), {int(name[2:]): raw for name, raw in groups.items()}
    return [((issuer if count == 1 else issuer.renew()).sign(content), numbered) for _ in range(count)]


def encode_request(document: Document) -> bytes:
    """What a relying party sends."""
    sod, groups = document
    encoded = {str(number): base64.b64encode(raw).decode() for number, raw in groups.items()}
    told = {"sod": base64.b64encode(sod).decode(), "data_groups": encoded, "policy": POLICY}
    body = json.dumps(told).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def processor_seconds(pid: int) -> float:
    """What the threads of a process have used so far."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in threads) / 1e9


def resident_octets(pid: int) -> int:
    """Memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


class Client:
    """Connections that are kept open, each with a request under way, so that the API never waits for this process."""

    def __init__(self, api: ApiClient) -> None:
        address = urlsplit(api.url)
        place = address.hostname or "", address.port or 0
        self.connections = [socket.create_connection(place) for _ in range(CONNECTIONS)]

    def post_all(self, requests: Iterable[bytes]) -> list[bytes]:
        """Send all of them; the answers, in order."""
        reports: list[bytes] = []
        left = iter(requests)
        while batch := list(zip(self.connections, left, strict=False)):
            for connection, request in batch:
                connection.sendall(request)
            # The last one first: when it is there, the others are, too, and this process has slept meanwhile.
            answers = [_read_answer(connection) for connection, _ in reversed(batch)]
            reports += reversed(answers)
        return reports


def _read_answer(connection: socket.socket) -> bytes:
    head, _, report = connection.recv(1 << 16).partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(report) < length:
        report += connection.recv(1 << 16)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"the API answered {head[9:12].decode()}: {report[:200]!r}")
    return report


def measure(
    api: ApiClient, service: VerificationService, documents: list[Document], seconds: float
) -> tuple[float, float]:
    """Requests in each processor second: by the API, and by the service without it."""
    client, turns = Client(api), cycle(documents)
    requests = cycle([encode_request(document) for document in documents])
    for report in client.post_all(islice(requests, 2 * CONNECTIONS)):
        if json.loads(report)["verdict"] != Verdict.TOTAL_PASSED:
            raise SystemExit("the specimen does not pass")

    def judge_here() -> None:
        sod, groups = next(turns)
        service.authenticate_passively(sod, groups, POLICY)

    here: list[float] = []
    there: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not here:
        begun = processor_seconds(api.pid)
        client.post_all(islice(requests, TURN))
        there.append(TURN / (processor_seconds(api.pid) - begun))
        begun = time.process_time()
        for _ in range(TURN):
            judge_here()
        here.append(TURN / (time.process_time() - begun))
    return median(there), median(here)


def watch_memory(api: ApiClient, documents: list[Document], requests: int) -> None:
    """Tell the API's memory ten times on the way."""
    client, bodies = Client(api), cycle([encode_request(document) for document in documents])
    print("\nrequests  resident MiB")
    for part in range(1, 11):
        for _ in range(requests // 10 // TURN):
            client.post_all(islice(bodies, TURN))
        print(f"{requests * part // 10:>8,}{resident_octets(api.pid) / (1 << 20):>14.1f}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=6.0, help="for each row of the table")
    options.add_argument("--memory", type=int, default=0, metavar="REQUESTS", help="then watch the API's memory")
    arguments = options.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the API's process inherits it
    issuer = build_issuer("P-256")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_trust(issuer, folder)
        (folder / "stations").mkdir()
        service = VerificationService(
            open_database(f"sqlite:///{folder / 'here.db'}"), load_trust_store(folder / "trust")
        )
        with api_process(folder / "home", folder / "trust", folder / "stations") as api:
            print(f"{'signer':<8}{'API /s':>9}{'in process /s':>15}{'ratio':>7}  target")
            for row, count in SIGNERS.items():
                documents = build_documents(issuer, count)
                there, here = measure(api, service, documents, arguments.seconds)
                print(f"{row:<8}{there:>9,.0f}{here:>15,.0f}{there / here:>7.2f}  ", end="")
                print(judge(round(there / here, 2), at_least=TARGET))
            if arguments.memory:
                watch_memory(api, build_documents(issuer, SIGNERS["new"]), arguments.memory)


if __name__ == "__main__":
    main()
