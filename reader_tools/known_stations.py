"""The stations whose word counts: those of the settings' directory, and those that the command line names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from eid.services.settings import Settings
from eid.services.verifying.stations import load_station_key, load_stations, station_key_id


def known_stations(settings: Settings, files: Iterable[Path]) -> Mapping[bytes, ec.EllipticCurvePublicKey]:
    """Keys by key identifier.

    Raises:
        StoreError: a file cannot be read or holds no P-256 public key.
    """
    directory = settings.stations_directory
    known = {} if directory is None else dict(load_stations(directory))
    return known | {station_key_id(key): key for key in map(load_station_key, files)}
