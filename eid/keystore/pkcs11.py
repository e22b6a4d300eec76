"""Keys in a PKCS#11 token (an HSM, SoftHSM2): private and master keys are made in it and never leave it.

The library `python-pkcs11` (extra `hsm`) is imported when a token is opened. One session serves a store; a lock keeps
its operations apart, because a PKCS#11 session runs one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from types import TracebackType
from typing import Any, Final, NoReturn, Self

from eid.codec import der
from eid.codec.spki import encode_ec_spki, encode_rsa_spki
from eid.crypto.curves import Curve, curve_by_name, curve_by_oid
from eid.crypto.hashes import digest
from eid.crypto.signatures import SignatureAlgorithm, encode_ecdsa_der
from eid.errors import DecodeError, KeyStoreError
from eid.keystore.algorithm import choose_algorithm, refuse_pickle
from eid.keystore.card_keys import MasterKey
from eid.keystore.software import check_label, check_rsa_bits

INSTALL: Final = "PKCS#11 needs the extra 'hsm' (python-pkcs11)"
AES_KEY_LENGTHS: Final = (16, 24, 32)
SECRET_KEY_USES: Final = ("SIGN", "VERIFY", "ENCRYPT", "DECRYPT", "WRAP", "UNWRAP", "DERIVE")


class Pkcs11Signer:
    """A private signature key in a token."""

    def __init__(
        self,
        store: Pkcs11KeyStore,
        label: str,
        key: Any,
        public_key_info: bytes,
        curve: Curve | None,
        algorithm: SignatureAlgorithm | None,
    ) -> None:
        self._store = store
        self._label = label
        self._key = key
        self._public_key_info = public_key_info
        self._curve = curve
        self._algorithm = choose_algorithm(public_key_info, algorithm)

    @property
    def label(self) -> str:
        """Name of the key in its store."""
        return self._label

    @property
    def public_key_info(self) -> bytes:
        """SubjectPublicKeyInfo, DER, EC parameters as a named curve."""
        return self._public_key_info

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """The algorithm it signs with."""
        return self._algorithm

    def sign(self, message: bytes) -> bytes:
        """Sign a message (hashed inside): DER ECDSA-Sig-Value, or the RSA signature octets.

        Raises:
            KeyStoreError: the token refuses.
        """
        with self._store.operation("signing") as pkcs11:
            if self._curve is not None:
                return self._sign_ecdsa(pkcs11, self._curve, message)
            return bytes(self._key.sign(message, **_rsa_mechanism(pkcs11, self._algorithm)))

    def _sign_ecdsa(self, pkcs11: Any, curve: Curve, message: bytes) -> bytes:
        # The leftmost bits of the hash, as many as the order has (FIPS 186-5 6.4.1); the token gives r || s
        hashed = digest(self._algorithm.hash_name, message)[: curve.order_length]
        plain = bytes(self._key.sign(hashed, mechanism=pkcs11.Mechanism.ECDSA))
        half = len(plain) // 2
        if half != curve.order_length:
            raise KeyStoreError("the token gave a signature of another curve")
        return encode_ecdsa_der(int.from_bytes(plain[:half], "big"), int.from_bytes(plain[half:], "big"))

    def __repr__(self) -> str:
        return f"Pkcs11Signer({self._label!r})"

    def __reduce__(self) -> NoReturn:
        refuse_pickle("a private key")


class Pkcs11KeyStore:
    """The keys of one token, reached through one session that is logged in.

    Args:
        module: path of the token's PKCS#11 library. token_label: which token of it.
        pin: the user PIN, or what asks for it; used once.

    Raises:
        KeyStoreError: `python-pkcs11` is missing, the library cannot be loaded, there is no such token, or the PIN is
            wrong.
    """

    def __init__(self, module: str, token_label: str, pin: str | Callable[[], str]) -> None:
        self._lock = Lock()
        self._token_label = token_label
        self._pkcs11 = _import_pkcs11()
        try:
            token = self._pkcs11.lib(module).get_token(token_label=token_label)
            self._session = _open_session(self._pkcs11, token, pin() if callable(pin) else pin)
        except (self._pkcs11.PKCS11Error, RuntimeError) as error:
            raise KeyStoreError(f"token {token_label!r}: {_describe(error)}") from None

    def close(self) -> None:
        """End the session; keys of this store cannot be used any more."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def operation(self, what: str) -> Iterator[Any]:
        """Have the session to oneself; yields the PKCS#11 library.

        Raises:
            KeyStoreError: the token refuses what is done inside.
        """
        with self._lock:
            try:
                yield self._pkcs11
            except (self._pkcs11.PKCS11Error, RuntimeError, DecodeError) as error:
                raise KeyStoreError(f"token {self._token_label!r}, {what}: {_describe(error)}") from None

    def labels(self) -> tuple[str, ...]:
        """Labels of the signature keys, sorted.

        Raises:
            KeyStoreError: the token refuses.
        """
        with self.operation("listing keys") as pkcs11:
            keys = self._session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY})
            return tuple(sorted({str(key.label) for key in keys}))

    def generate_ec(self, label: str, curve: str, algorithm: SignatureAlgorithm | None = None) -> Pkcs11Signer:
        """Make an EC key pair in the token, on a curve of `eid.crypto.curves`.

        Raises:
            KeyStoreError: the label is taken or malformed, or the token lacks the curve.
        """
        check_label(label)
        known = curve_by_name(curve)
        if known is None:
            raise KeyStoreError(f"curve {curve!r} is unknown")
        with self.operation(f"generating a key on {curve}") as pkcs11:
            self._refuse_taken(pkcs11, label, pkcs11.ObjectClass.PRIVATE_KEY)
            parameters = self._session.create_domain_parameters(
                pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: der.encode_oid(known.oid)}, local=True
            )
            parameters.generate_keypair(**self._key_pair_options(pkcs11, label))
        return self.load(label, algorithm)

    def generate_rsa(self, label: str, bits: int, algorithm: SignatureAlgorithm | None = None) -> Pkcs11Signer:
        """Make an RSA key pair in the token, public exponent 65537.

        Raises:
            KeyStoreError: the label is taken or malformed, or the size is out of bounds.
        """
        check_label(label)
        check_rsa_bits(bits)
        with self.operation(f"generating an RSA key of {bits} bits") as pkcs11:
            self._refuse_taken(pkcs11, label, pkcs11.ObjectClass.PRIVATE_KEY)
            self._session.generate_keypair(pkcs11.KeyType.RSA, bits, **self._key_pair_options(pkcs11, label))
        return self.load(label, algorithm)

    def load(self, label: str, algorithm: SignatureAlgorithm | None = None) -> Pkcs11Signer:
        """The signature key with this label; without `algorithm` ECDSA or RSA-PSS as fits the key.

        Raises:
            KeyStoreError: there is none, there are several, or the algorithm does not go with it.
        """
        check_label(label)
        with self.operation(f"key {label!r}") as pkcs11:
            private = self._find(pkcs11, label, pkcs11.ObjectClass.PRIVATE_KEY)
            public = self._find(pkcs11, label, pkcs11.ObjectClass.PUBLIC_KEY)
            info, curve = _read_public_key(pkcs11, public)
        return Pkcs11Signer(self, label, private, info, curve, algorithm)

    def generate_master_key(self, label: str, length: int = 32) -> MasterKey:
        """Make an AES master key of 16, 24 or 32 octets in the token.

        Raises:
            KeyStoreError: the label is taken or malformed, or no AES key has that length.
        """
        check_label(label)
        if length not in AES_KEY_LENGTHS:
            raise KeyStoreError("a master key is an AES key")
        with self.operation("generating a master key") as pkcs11:
            self._refuse_taken(pkcs11, label, pkcs11.ObjectClass.SECRET_KEY)
            self._session.generate_key(
                pkcs11.KeyType.AES,
                8 * length,
                id=label.encode("ascii"),
                label=label,
                store=True,
                capabilities=pkcs11.MechanismFlag.SIGN,
                template=_secret_template(pkcs11),
            )
        return self.load_master_key(label)

    def store_master_key(self, label: str, value: bytes) -> MasterKey:
        """Import an AES master key that came from elsewhere into the token.

        Raises:
            KeyStoreError: the label is taken or malformed, or it is no AES key.
        """
        check_label(label)
        if len(value) not in AES_KEY_LENGTHS:
            raise KeyStoreError("a master key is an AES key")
        self.import_secret_key(label, value, "SIGN")
        return self.load_master_key(label)

    def load_master_key(self, label: str) -> MasterKey:
        """The master key with this label; each derivation is an AES-CMAC inside the token.

        Raises:
            KeyStoreError: there is none, or there are several.
        """
        key, length = self.find_secret_key(label, "SIGN")

        def prf(message: bytes) -> bytes:
            with self.operation("AES-CMAC") as library:
                return bytes(key.sign(message, mechanism=library.Mechanism.AES_CMAC))

        return MasterKey(label, length, prf)

    def import_secret_key(self, label: str, value: bytes, use: str) -> None:
        """Import an AES key under a label; `use` is the one thing it may do: "SIGN" (CMAC) or "ENCRYPT".

        Raises:
            KeyStoreError: the label is taken or malformed, or it is no AES key.
        """
        check_label(label)
        if len(value) not in AES_KEY_LENGTHS:
            raise KeyStoreError("not an AES key")
        with self.operation("importing a key") as pkcs11:
            attribute = pkcs11.Attribute
            self._refuse_taken(pkcs11, label, pkcs11.ObjectClass.SECRET_KEY)
            self._session.create_object(
                {
                    attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
                    attribute.KEY_TYPE: pkcs11.KeyType.AES,
                    attribute.VALUE: value,
                    attribute.TOKEN: True,
                    attribute.LABEL: label,
                    attribute.ID: label.encode("ascii"),
                    **{attribute[name]: name == use for name in SECRET_KEY_USES},
                    **_secret_template(pkcs11),
                }
            )

    def find_secret_key(self, label: str, use: str) -> tuple[Any, int]:
        """The token's handle of an AES key that may be used so, and its length in octets.

        Raises:
            KeyStoreError: there is none, there are several, or the key may not be used so.
        """
        check_label(label)
        with self.operation(f"key {label!r}") as pkcs11:
            key = self._find(pkcs11, label, pkcs11.ObjectClass.SECRET_KEY)
            if not key[pkcs11.Attribute[use]]:
                raise KeyStoreError(f"the key {label!r} is not allowed to {use}")
            return key, int(key[pkcs11.Attribute.VALUE_LEN])

    def _find(self, pkcs11: Any, label: str, kind: Any) -> Any:
        found = list(self._session.get_objects({pkcs11.Attribute.CLASS: kind, pkcs11.Attribute.LABEL: label}))
        if len(found) != 1:
            raise KeyStoreError(f"the token {self._token_label!r} has {len(found)} keys {label!r} of this kind")
        return found[0]

    def _refuse_taken(self, pkcs11: Any, label: str, kind: Any) -> None:
        if list(self._session.get_objects({pkcs11.Attribute.CLASS: kind, pkcs11.Attribute.LABEL: label})):
            raise KeyStoreError(f"there is a key {label!r} already")

    def _key_pair_options(self, pkcs11: Any, label: str) -> dict[str, Any]:
        attribute = pkcs11.Attribute
        return {
            "id": label.encode("ascii"),
            "label": label,
            "store": True,
            "capabilities": pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
            "private_template": {attribute.SENSITIVE: True, attribute.EXTRACTABLE: False, attribute.PRIVATE: True},
        }

    def __repr__(self) -> str:
        return f"Pkcs11KeyStore({self._token_label!r})"

    def __reduce__(self) -> NoReturn:
        refuse_pickle("a key store")


def _import_pkcs11() -> Any:
    try:
        import pkcs11  # the extra may be absent, and `eid --help` must not pay for it
    except ImportError:
        raise KeyStoreError(INSTALL) from None
    return pkcs11


def _open_session(pkcs11: Any, token: Any, pin: str) -> Any:
    """A session that is logged in; the login is the process's (PKCS#11 2.40 5.6.2): another store may have made it."""
    try:
        return token.open(rw=True, user_pin=pin)
    except pkcs11.exceptions.UserAlreadyLoggedIn:
        return token.open(rw=True)


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__


def _secret_template(pkcs11: Any) -> dict[Any, Any]:
    attribute = pkcs11.Attribute
    return {attribute.SENSITIVE: True, attribute.EXTRACTABLE: False, attribute.PRIVATE: True}


def _read_public_key(pkcs11: Any, key: Any) -> tuple[bytes, Curve | None]:
    """SubjectPublicKeyInfo of a token's public key, and its curve (None for RSA)."""
    attribute = pkcs11.Attribute
    if key.key_type == pkcs11.KeyType.RSA:
        numbers = (int.from_bytes(key[name], "big") for name in (attribute.MODULUS, attribute.PUBLIC_EXPONENT))
        return encode_rsa_spki(*numbers), None
    if key.key_type != pkcs11.KeyType.EC:
        raise KeyStoreError("neither an EC nor an RSA key")
    parameters = bytes(key[attribute.EC_PARAMS])
    name, stop = der.read_oid(parameters, 0, len(parameters), "EC_PARAMS")
    der.check_end(stop, len(parameters), "EC_PARAMS")
    curve = curve_by_oid(name)
    if curve is None:
        raise KeyStoreError(f"curve {name} is unknown")
    return encode_ec_spki(curve.oid, _read_point(bytes(key[attribute.EC_POINT]))), curve


def _read_point(raw: bytes) -> bytes:
    """EC_POINT is a DER OCTET STRING around the point (PKCS#11 2.40, 2.3.3)."""
    point, stop = der.read_octet_string(raw, 0, len(raw), "EC_POINT")
    der.check_end(stop, len(raw), "EC_POINT")
    return point


def _rsa_mechanism(pkcs11: Any, algorithm: SignatureAlgorithm) -> dict[str, Any]:
    name = algorithm.hash_name.upper()
    if algorithm.kind == "rsa-pkcs1":
        return {"mechanism": pkcs11.Mechanism[f"{name}_RSA_PKCS"]}
    mask = (algorithm.mgf_hash_name or algorithm.hash_name).upper()
    hash_mechanism = pkcs11.Mechanism["SHA_1" if name == "SHA1" else name]
    return {
        "mechanism": pkcs11.Mechanism[f"{name}_RSA_PKCS_PSS"],
        "mechanism_param": (hash_mechanism, pkcs11.MGF[mask], algorithm.salt_length or 0),
    }
