"""The card's memory as bytes: canonical CBOR and a SHA-256 digest (docs/formats/card-state.md). It holds secrets."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from enum import Enum
from io import BytesIO
from typing import Any, Final, TypeVar

import cbor2
from pydantic import ValidationError

from eid.card.administration import decode_pace_infos
from eid.card.keys import KeyOrder, import_key
from eid.card.memory import Directory, LifeCycle, Memory, StoredKey, StoredPassword, TransparentFile
from eid.card.trust import describe_trust, restore_trust
from eid.crypto.hashes import digest
from eid.errors import DecodeError, LocalProtocolError
from eid.lds.security_infos import encode_security_info, write_out_parameters
from eid.pki.cv_chain import CardTrust
from eid.profile.card_image import (
    AccessCondition,
    ChipImage,
    Interface,
    KeyAlgorithm,
    KeyPurpose,
    PasswordId,
    SecurityDomainImage,
)
from eid.profile.quirks import NO_QUIRKS, Quirks
from eid.protocols.scp03.card import SecurityDomain
from eid.protocols.scp03.key_set import StaticKeySet

FORMAT: Final = "eid-card-state"
VERSION: Final = 1
DIGEST_LENGTH: Final = 32
MAX_STATE: Final = 4 << 20
"""Octets; a state that is longer is not read at all."""

V = TypeVar("V")
E = TypeVar("E", bound=Enum)


def encode_state(memory: Memory) -> bytes:
    """Canonical CBOR (RFC 8949 4.2.1) of everything, followed by its SHA-256."""
    body = cbor2.dumps(_encode_memory(memory), canonical=True)
    return body + digest("sha256", body)


def decode_state(raw: bytes) -> Memory:
    """Read a state; what is torn, altered, of another version or not canonical is refused.

    Raises:
        DecodeError: for whatever reason.
    """
    if not DIGEST_LENGTH < len(raw) <= MAX_STATE:
        raise DecodeError(f"card state of {len(raw)} octets is empty or too long")
    body, given = raw[:-DIGEST_LENGTH], raw[-DIGEST_LENGTH:]
    if not hmac.compare_digest(digest("sha256", body), given):
        raise DecodeError("card state is torn or altered: its digest is wrong")
    memory = _decode_memory(_Map(_decode_cbor(body), "card state"))
    if encode_state(memory) != raw:
        raise DecodeError("card state is not in canonical form")
    return memory


def _decode_cbor(body: bytes) -> object:
    stream = BytesIO(body)
    try:
        value: object = cbor2.CBORDecoder(stream).decode()
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError):
        raise DecodeError("card state is not CBOR") from None
    if stream.read(1):
        raise DecodeError("card state goes on behind its end")
    return value


# --- encode


def _encode_memory(memory: Memory) -> dict[str, Any]:
    optional = {} if memory.trust == CardTrust() else {"trust": describe_trust(memory.trust)}
    return optional | {
        "format": FORMAT,
        "version": VERSION,
        "life_cycle": int(memory.life_cycle),
        "chip": _encode_chip(memory.chip),
        "domain": _encode_domain(memory.domain),
        "master": _encode_directory(memory.master),
        "applications": [_encode_directory(entry) for _, entry in sorted(memory.applications.items())],
        "passwords": {int(key): _encode_password(item) for key, item in memory.passwords.items()},
        "pace": [encode_security_info(item) for item in write_out_parameters(memory.pace)],
    }


def _encode_password(password: StoredPassword) -> list[object]:
    row: list[object] = [password.value, password.tries, password.left]
    return row if password.active else [*row, False]


def _encode_chip(chip: ChipImage) -> dict[str, Any]:
    domain = chip.security_domain
    return {
        "interface": chip.interface.value,
        "historical_bytes": chip.historical_bytes,
        "extended_length": chip.extended_length,
        "max_command_data": chip.max_command_data,
        "max_response_data": chip.max_response_data,
        "security_domain": [domain.aid, domain.key_length, domain.i_parameter, domain.key_version],
    } | ({} if chip.quirks == NO_QUIRKS else {"quirks": chip.quirks.model_dump_json(exclude_defaults=True)})


def _encode_domain(domain: SecurityDomain) -> dict[str, Any]:
    keys = domain.keys
    return {
        "kdd": domain.kdd,
        "keys": [keys.key_version, keys.enc, keys.mac, keys.dek],
        "sequence": domain.sequence,
        "failures": domain.failures,
    }


def _encode_directory(directory: Directory) -> dict[str, Any]:
    return {
        "aid": directory.aid,
        "fid": directory.fid,
        "bac": directory.basic_access_control,
        "activated": directory.activated,
        "files": {
            fid: [file.sfi, bytes(file.content), file.read.value, file.update.value]
            for fid, file in directory.files.items()
        },
        "keys": {
            reference: [
                key.purpose.value,
                key.algorithm.kind,
                key.algorithm.parameter,
                key.algorithm.hash_name,
                key.private_key,
            ]
            for reference, key in directory.keys.items()
        },
    }


# --- decode


class _Map:
    """A CBOR map with text keys, read with type checks."""

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, Mapping):
            raise DecodeError(f"{what} is not a map")
        self._items: Mapping[object, object] = value
        self._what = what

    def get(self, key: str, kind: type[V]) -> V:
        return _typed(self._items.get(key), kind, f"{self._what}: {key}")

    def has(self, key: str) -> bool:
        return key in self._items

    def map(self, key: str) -> _Map:
        return _Map(self._items.get(key), f"{self._what}: {key}")

    def numbered(self, key: str) -> dict[int, list[object]]:
        """A map from numbers to lists."""
        items = self.map(key)._items
        what = f"{self._what}: {key}"
        return {_typed(number, int, what): _typed(item, list, what) for number, item in items.items()}


def _typed(value: object, kind: type[V], what: str) -> V:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise DecodeError(f"{what} is missing or not of type {kind.__name__}")
    return value


def _optional(value: object, kind: type[V], what: str) -> V | None:
    return None if value is None else _typed(value, kind, what)


def _ranged(value: object, low: int, high: int, what: str) -> int:
    number = _typed(value, int, what)
    if not low <= number <= high:
        raise DecodeError(f"{what} is not in {low}..{high}")
    return number


def _member(kind: type[E], value: object, what: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise DecodeError(f"{what} has an unknown value") from None


def _row(items: list[object], length: int, what: str) -> list[object]:
    if len(items) != length:
        raise DecodeError(f"{what} has {len(items)} items, not {length}")
    return items


def _decode_memory(top: _Map) -> Memory:
    if top.get("format", str) != FORMAT or top.get("version", int) != VERSION:
        raise DecodeError(f"not a card state of version {VERSION}")
    chip = _decode_chip(top.map("chip"))
    applications = [_decode_directory(_Map(item, "application")) for item in top.get("applications", list)]
    pace = b"".join(_typed(item, bytes, "PACEInfo") for item in top.get("pace", list))
    passwords = top.numbered("passwords")
    return Memory(
        chip=chip,
        domain=_decode_domain(top.map("domain"), chip),
        life_cycle=_member(LifeCycle, top.get("life_cycle", int), "life cycle"),
        master=_decode_directory(top.map("master")),
        applications={entry.aid: entry for entry in applications},
        passwords={_member(PasswordId, key, "password"): _decode_password(item) for key, item in passwords.items()},
        pace=decode_pace_infos(pace),
        trust=restore_trust(top.get("trust", list)) if top.has("trust") else CardTrust(),
    )


def _decode_chip(top: _Map) -> ChipImage:
    aid, key_length, i, version = _row(top.get("security_domain", list), 4, "security domain")
    return ChipImage(
        interface=_member(Interface, top.get("interface", str), "interface"),
        historical_bytes=_short(top.get("historical_bytes", bytes), 15, "historical bytes"),
        security_domain=SecurityDomainImage(
            aid=_short(aid, 16, "security domain AID"),
            key_length=_ranged(key_length, 16, 32, "key length"),
            i_parameter=_ranged(i, 0, 0xFF, "i parameter"),
            key_version=_ranged(version, 1, 0xFF, "key version"),
        ),
        extended_length=top.get("extended_length", bool),
        max_command_data=_ranged(top.get("max_command_data", int), 1, 65535, "max_command_data"),
        max_response_data=_ranged(top.get("max_response_data", int), 1, 65536, "max_response_data"),
        quirks=_decode_quirks(_optional(top._items.get("quirks"), str, "quirks")),
    )


def _decode_quirks(text: str | None) -> Quirks:
    try:
        return NO_QUIRKS if text is None else Quirks.model_validate_json(text)
    except ValidationError:
        raise DecodeError("the chip's quirks are none that are known") from None


def _short(value: object, longest: int, what: str) -> bytes:
    octets = _typed(value, bytes, what)
    if len(octets) > longest:
        raise DecodeError(f"{what} has over {longest} octets")
    return octets


def _decode_domain(top: _Map, chip: ChipImage) -> SecurityDomain:
    version, *keys = _row(top.get("keys", list), 4, "key set")
    try:
        key_set = StaticKeySet(
            _ranged(version, 0, 0xFF, "key version"), *(_typed(key, bytes, "SCP03 key") for key in keys)
        )
    except LocalProtocolError as error:
        raise DecodeError(str(error)) from error
    kdd = top.get("kdd", bytes)
    if len(kdd) != 10:
        raise DecodeError("key diversification data has 10 octets")
    return SecurityDomain(
        aid=chip.security_domain.aid,
        kdd=kdd,
        i=chip.security_domain.i_parameter,
        keys=key_set,
        sequence=_ranged(top.get("sequence", int), 0, 0xFFFFFF, "sequence counter"),
        failures=_ranged(top.get("failures", int), 0, 0xFFFF, "failure counter"),
    )


def _decode_directory(top: _Map) -> Directory:
    fid = top._items.get("fid")
    return Directory(
        aid=_short(top.get("aid", bytes), 16, "AID"),
        fid=None if fid is None else _ranged(fid, 0, 0xFFFF, "file identifier"),
        files={number: _decode_file(number, item) for number, item in top.numbered("files").items()},
        keys={number: _decode_key(number, item) for number, item in top.numbered("keys").items()},
        basic_access_control=top.get("bac", bool),
        activated=top.get("activated", bool),
    )


def _decode_file(fid: int, items: list[object]) -> TransparentFile:
    sfi, content, read, update = _row(items, 4, "file")
    return TransparentFile(
        _ranged(fid, 0, 0xFFFF, "file identifier"),
        None if sfi is None else _ranged(sfi, 1, 30, "short identifier"),
        bytearray(_typed(content, bytes, "file content")),
        _member(AccessCondition, read, "access rule"),
        _member(AccessCondition, update, "access rule"),
    )


def _decode_key(reference: int, items: list[object]) -> StoredKey:
    purpose, kind, parameter, hash_name, private_key = _row(items, 5, "key")
    algorithm = KeyAlgorithm(*(_typed(item, str, "key algorithm") for item in (kind, parameter, hash_name)))
    order = KeyOrder(_member(KeyPurpose, purpose, "key purpose"), _ranged(reference, 1, 31, "key reference"), algorithm)
    return import_key(order, _typed(private_key, bytes, "private key"))


def _decode_password(items: list[object]) -> StoredPassword:
    value, tries, left = _row(items[:3], 3, "password")
    if items[3:] not in ([], [False]):
        raise DecodeError("a password's row ends with nothing but false, where it is switched off")
    password = StoredPassword(
        _short(value, 127, "password"),
        _optional(tries, int, "tries"),
        _optional(left, int, "tries left"),
        active=not items[3:],
    )
    if (password.tries is None) != (password.left is None) or not 0 <= (password.left or 0) <= (password.tries or 0):
        raise DecodeError("a password's tries contradict each other")
    if not password.value.isascii():  # CHANGE REFERENCE DATA takes no other, and BAC reads it as text
        raise DecodeError("a password is not of ASCII octets")
    return password
