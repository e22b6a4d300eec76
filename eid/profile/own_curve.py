"""A curve of the chip's own for PACE, written out in EF.CardAccess and DG14 (Doc 9303-11 9.2.1, TR-03110-3 A.2.1.2)."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from eid.codec import der
from eid.codec.oid import EC_PUBLIC_KEY
from eid.codec.spki import EcParameters, encode_ec_parameters
from eid.crypto.curves import curve_by_parameters
from eid.crypto.foreign_curves import validate_curve
from eid.errors import PeerProtocolError
from eid.lds.security_infos import MAX_STANDARDIZED_ID
from eid.profile.statement import Number, Octets, Statement


class OwnCurve(Statement):
    """y^2 = x^3 + ax + b over GF(p), with a generator of prime order n and cofactor 1.

    Args:
        parameter_id: the chip's own name for it (TR-03110-3 A.2.1). generator: 04, x and y.
    """

    parameter_id: Annotated[int, Field(gt=MAX_STANDARDIZED_ID, le=255)] = MAX_STANDARDIZED_ID + 1
    p: Number
    a: Number
    b: Number
    generator: Octets
    n: Number

    @property
    def parameters(self) -> EcParameters:
        """The domain parameters, cofactor included."""
        return EcParameters(self.p, self.a, self.b, self.generator, self.n, 1)

    @property
    def domain_parameter(self) -> bytes:
        """They, as an AlgorithmIdentifier (DER) writes them out."""
        return der.encode_sequence(der.encode_oid(EC_PUBLIC_KEY), encode_ec_parameters(self.parameters))

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        known = curve_by_parameters(self.p, self.a, self.b, self.generator, self.n, 1)
        if known is not None and known.standardized_id is not None:
            raise ValueError(f"these are the parameters of {known.name}, which is to be named (TR-03110-3 A.2.1)")
        try:
            validate_curve(self.parameters)
        except PeerProtocolError as fault:
            raise ValueError(str(fault)) from fault
        return self
