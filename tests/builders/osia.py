"""OSIA's published descriptions, and a system that calls by them: each answer is held to its description.

system = System(office, "cms")
answer = await system("readCredential", 200, credentialId=...)      # scope, transactionId and address by themselves
system.unseen()                                                      # operations and status codes that never were
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft4Validator
from jsonschema.validators import validator_for

from tests.builders.registry import Office

CONTRACT: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "osia-7.1.json").read_text("utf-8"))
OPERATIONS = {
    name: (interface, operation)
    for interface, stated in CONTRACT["interfaces"].items()
    for name, operation in stated["operations"].items()
}
JSON = "application/json"


def require_valid(interface: str, schema: dict[str, Any], value: Any) -> None:
    """Against the description; OpenAPI 3.0 schemas are those of JSON Schema's draft 5, all but nullable."""
    assert validator_for(schema, Draft4Validator) is Draft4Validator
    document = {"schemas": CONTRACT["interfaces"][interface]["schemas"], **schema}
    Draft4Validator(document).validate(value)


@dataclass
class System:
    """Calls the operations of the interfaces and remembers what it saw."""

    office: Office
    seen: set[tuple[str, int]] = field(default_factory=set)
    sub: str = "system-1"

    def headers(self, operation: str, **named: str) -> dict[str, str]:
        scopes = " ".join(OPERATIONS[operation][1]["scopes"]).replace(
            "ATTRIBUTESETNAME", named.get("attributeSetName", "")
        )
        return self.office.headers(sub=self.sub, site="rabat-1", scope=scopes)

    async def __call__(
        self,
        operation: str,
        expected: int,
        *,
        body: Any = None,
        content: bytes | None = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        known: bool = True,
        office: Office | None = None,
        **named: str,
    ) -> httpx.Response:
        interface, described = OPERATIONS[operation]
        parameters = {item["name"] for item in described["parameters"] if item["in"] == "query"}
        stated = ({"transactionId": "T-1"} if "transactionId" in parameters else {}) | (query or {})
        asked = {name: value for name, value in stated.items() if value is not None}
        sent = {**(self.headers(operation, **named) if known else {}), **(headers or {})}
        kind = {"json": body} if body is not None else {"content": content}
        async with (office or self.office).client(raises=expected != 500) as client:
            address = described["path"].format(**named)
            answer = await client.request(described["method"], address, params=asked, headers=sent, **kind)
        assert answer.status_code == expected, (operation, answer.status_code, answer.text, answer.headers)
        self._check(operation, interface, described, answer)
        return answer

    def _check(self, operation: str, interface: str, described: dict[str, Any], answer: httpx.Response) -> None:
        status = str(answer.status_code)
        if status not in described["responses"]:  # the descriptions leave out what any server may say
            assert answer.status_code in (401, 403), (operation, status)
            assert answer.content == b""
            return
        self.seen.add((operation, answer.status_code))
        bodies = described["responses"][status]
        if bodies is None:
            assert answer.content == b"", (operation, answer.text)
        elif JSON in bodies:
            assert answer.headers["content-type"] == JSON
            require_valid(interface, bodies[JSON], answer.json())
        else:
            assert answer.headers["content-type"].partition("/")[0] + "/*" in bodies

    def unseen(self, *interfaces: str) -> set[tuple[str, int]]:
        """Every operation and status code of the interfaces that was not seen."""
        stated = {
            (name, int(status))
            for name, (interface, operation) in OPERATIONS.items()
            if interface in interfaces
            for status in operation["responses"]
        }
        return stated - self.seen
