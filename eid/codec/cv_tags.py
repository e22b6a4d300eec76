"""Tags of card-verifiable certificates (TR-03110-3 D.2, table D.2)."""

from __future__ import annotations

from typing import Final

CV_CERTIFICATE: Final = 0x7F21
BODY: Final = 0x7F4E
SIGNATURE: Final = 0x5F37
PROFILE: Final = 0x5F29
AUTHORITY_REFERENCE: Final = 0x42
PUBLIC_KEY: Final = 0x7F49
HOLDER_REFERENCE: Final = 0x5F20
CHAT: Final = 0x7F4C
EFFECTIVE_DATE: Final = 0x5F25
EXPIRATION_DATE: Final = 0x5F24
EXTENSIONS: Final = 0x65
AUTHENTICATION: Final = 0x67
DISCRETIONARY_TEMPLATE: Final = 0x73
DISCRETIONARY_DATA: Final = 0x53
OID: Final = 0x06
