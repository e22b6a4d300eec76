"""The provider's public keys, looked at again at an interval: one that he adds counts, one that he withdraws does not.

No request of a caller causes it and none waits for it. While the provider is away, the keys go on to count that were
there.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from eid.errors import EidError
from eid.services.caller.tokens import TokenIssuer, load_issuer
from eid.services.settings import Settings

SECONDS: Final = 600.0
LOGGER: Final = logging.getLogger("eid.api")


def renew_keys(issuer: TokenIssuer, settings: Settings) -> None:
    """Let the keys count that the provider has now, and no others.

    Raises:
        ProfileError: he has none, or a development issuer's. GatewayError: he cannot be asked. Those that were there
            go on to count then.
    """
    issuer.keys.keys = load_issuer(settings).keys.keys


def keep_renewing(
    issuer: TokenIssuer, settings: Settings, seconds: float = SECONDS, stop: threading.Event | None = None
) -> threading.Thread:
    """Renew the keys at an interval, in a thread that ends with the process, or when `stop` is set."""
    ended = stop or threading.Event()

    def run() -> None:
        while not ended.wait(seconds):
            try:
                renew_keys(issuer, settings)
            except EidError as failure:
                LOGGER.warning("the provider's keys could not be renewed: %s", failure)

    thread = threading.Thread(target=run, name="key-renewal", daemon=True)
    thread.start()
    return thread
