"""A payment terminal on the counter of a consulate: the sale appears on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from eid.enrolment.payment import Channel
from eid.errors import RecordError
from eid.gateways.payment.channel import Form, HttpChannel, PaymentOrder

_TERMINAL: Final = re.compile(r"[A-Za-z0-9-]{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CounterTerminal(HttpChannel):
    """A payment terminal on the counter of a consulate."""

    name: ClassVar = Channel.COUNTER_TERMINAL
    form: ClassVar[Form] = "terminal"

    def describe(self, order: PaymentOrder) -> dict[str, str]:
        """Which terminal."""
        if order.terminal is None or not _TERMINAL.fullmatch(order.terminal):
            raise RecordError("a payment at a counter names the terminal")
        return {"terminal": order.terminal}
