"""Making an issuing authority: CSCA, first document signer, CRL and card master key, whatever breaks off in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from eid.errors import AlreadyDoneError, KeyStoreError, LifecycleError, StoreError
from eid.keystore.ports import KeyStore
from eid.profile.loader import load_profile
from eid.services.pki.authority import IssuingAuthority
from eid.services.pki.authority_register import CSCA, CSCA_NAME, MASTER_KEY, REGISTER, Register, decode_register
from eid.store.files import load_file, lock_directory


def create_authority(
    directory: Path, profile_name: str, keys: KeyStore, now: datetime, *, operator: str = "", name: str = CSCA_NAME
) -> IssuingAuthority:
    """Make a CSCA, its first document signer, a CRL and the card master key; go on where an attempt broke off.

    Args:
        operator: who gives the order, for the record of signatures. name: common name of the CSCA.

    Raises:
        AlreadyDoneError: there is an authority in the directory. KeyStoreError: a key cannot be made.
        StoreError: a file cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}") from error
    with lock_directory(directory):
        authority = _begin(directory, profile_name, keys, operator, name)
        if not authority.register.cscas:
            authority.certify_csca(CSCA, authority.register.name, now)
            authority._keep(replace(authority.register, cscas=(CSCA,)))
        if authority.register.unfinished in (CSCA, MASTER_KEY):
            _make_master_key(authority)
        if not authority.register.signers:
            authority._add_signer(now)
        authority._issue_crl(now)
    return authority


def _begin(directory: Path, profile_name: str, keys: KeyStore, operator: str, name: str) -> IssuingAuthority:
    """A new register, or that of an attempt that did not come as far as its first CRL."""
    known = Path(profile_name).absolute() if profile_name.endswith(".toml") or "/" in profile_name else profile_name
    register = Register(str(known), name=name)
    profile = load_profile(register.profile).profile
    if (directory / REGISTER).exists():
        register = decode_register(load_file(directory / REGISTER))
        if register.crl_number:
            raise AlreadyDoneError(f"there is an authority in {directory} already")
        if register.profile != str(known):
            raise LifecycleError(f"the attempt that broke off in {directory} was for profile {register.profile}")
    return IssuingAuthority(directory, register, profile, keys, operator)


def _make_master_key(authority: IssuingAuthority) -> None:
    if authority.register.unfinished == MASTER_KEY:
        if _has_master_key(authority.keys):
            return
    elif _has_master_key(authority.keys):
        raise KeyStoreError(f"there is a key {MASTER_KEY!r} already, and this authority did not make it")
    authority._keep(replace(authority.register, unfinished=MASTER_KEY))
    authority.keys.generate_master_key(MASTER_KEY, authority.profile.security_domain.key_length)


def _has_master_key(keys: KeyStore) -> bool:
    try:
        keys.load_master_key(MASTER_KEY)
    except KeyStoreError:
        return False
    return True
