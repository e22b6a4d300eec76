"""SignedData of one signer, written many times: what stays the same is encoded once (RFC 5652 5, Doc 9303-10 4.6.2.2).

`eid.codec.cms` writes the same structure from its parts; a test holds the two to each other, octet by octet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from eid.codec import der, oid
from eid.codec.algorithm import AlgorithmIdentifier

_VERSION_3: Final = der.encode_integer(3)
_SIGNED_DATA_TYPE: Final = der.encode_oid(oid.SIGNED_DATA)
_SIGNING_TIME_TYPE: Final = der.encode_oid(oid.SIGNING_TIME)
_MESSAGE_DIGEST_TYPE: Final = der.encode_oid(oid.MESSAGE_DIGEST)


@dataclass(frozen=True, slots=True)
class SignedDataTemplate:
    """All SignedData with one content type, signer, and certificate inside. Make one with `build`.

    Args:
        content_type_attribute: Attribute, whole. before_content: version and digestAlgorithms.
        content_type: eContentType, DER. certificates: tagged [0]. before_attributes: of SignerInfo, version to
            digestAlgorithm. signature_algorithm: DER.
    """

    content_type_attribute: bytes = field(repr=False)
    before_content: bytes = field(repr=False)
    content_type: bytes = field(repr=False)
    certificates: bytes = field(repr=False)
    before_attributes: bytes = field(repr=False)
    signature_algorithm: bytes = field(repr=False)

    @classmethod
    def build(
        cls,
        *,
        content_type: str,
        signer: tuple[bytes, int] | bytes,
        digest_algorithm: AlgorithmIdentifier,
        signature_algorithm: AlgorithmIdentifier,
        certificates: tuple[bytes, ...],
    ) -> Self:
        """Encode what stays the same.

        Args:
            content_type: dotted; another one than id-data, for which the version would be another.
            signer: issuer (DER) and serial of the certificate (SignerInfo version 1), or its key identifier (3).
            certificates: DER.
        """
        type_raw, digest_raw = der.encode_oid(content_type), digest_algorithm.encode()
        if isinstance(signer, bytes):
            named = _VERSION_3 + der.encode(0x80, signer)
        else:
            named = der.encode_integer(1) + der.encode_sequence(signer[0], der.encode_integer(signer[1]))
        return cls(
            _encode_attribute(der.encode_oid(oid.CONTENT_TYPE), type_raw),
            _VERSION_3 + der.encode(der.SET, digest_raw),
            type_raw,
            der.encode_set_of(certificates, 0xA0),
            named + digest_raw,
            signature_algorithm.encode(),
        )

    def encode_attributes(self, message_digest: bytes, signing_time: datetime) -> bytes:
        """SignedAttributes as SET OF in DER: what is to be signed.

        Args:
            message_digest: hash of eContent. signing_time: aware, whole seconds.
        """
        attributes = (
            self.content_type_attribute,
            _encode_attribute(_SIGNING_TIME_TYPE, der.encode_time(signing_time)),
            _encode_attribute(_MESSAGE_DIGEST_TYPE, der.encode(der.OCTET_STRING, message_digest)),
        )
        return der.encode_set_of(attributes)

    def encode(self, content: bytes, attributes: bytes, signature: bytes) -> bytes:
        """ContentInfo around the content (octets of eContent), the attributes that were signed, and the signature."""
        encode = der.encode
        signer_info = encode(
            der.SEQUENCE,
            self.before_attributes
            + b"\xa0"
            + attributes[1:]
            + self.signature_algorithm
            + encode(der.OCTET_STRING, signature),
        )
        encapsulated = self.content_type + encode(0xA0, encode(der.OCTET_STRING, content))
        signed_data = (
            self.before_content + encode(der.SEQUENCE, encapsulated) + self.certificates + encode(der.SET, signer_info)
        )
        return encode(der.SEQUENCE, _SIGNED_DATA_TYPE + encode(0xA0, encode(der.SEQUENCE, signed_data)))


def _encode_attribute(attribute_type: bytes, value: bytes) -> bytes:
    """An Attribute with one value, both DER."""
    return der.encode(der.SEQUENCE, attribute_type + der.encode(der.SET, value))
