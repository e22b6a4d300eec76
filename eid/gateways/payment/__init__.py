"""Paying: a port, five adapters behind it, and a provider to try them against."""

from __future__ import annotations

from typing import Final

from eid.gateways.payment.bank_branch import BankBranch
from eid.gateways.payment.channel import HttpChannel
from eid.gateways.payment.counter_terminal import CounterTerminal
from eid.gateways.payment.mobile_wallet import MobileWallet
from eid.gateways.payment.online_card import OnlineCard
from eid.gateways.payment.payment_provider import ProviderAgency

CHANNELS: Final[tuple[type[HttpChannel], ...]] = (
    OnlineCard,
    BankBranch,
    ProviderAgency,
    CounterTerminal,
    MobileWallet,
)
"""Every adapter."""
