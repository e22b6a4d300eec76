"""The lists that an authority signs, and the signers below its CSCA that sign nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from eid.errors import LifecycleError
from eid.keystore.ports import Signer
from eid.pki.certificate_profile import Validity
from eid.pki.list_signer import ListKind, build_list_signer_certificate, sign_list
from eid.services.pki.authority_keys import AuthorityKeys, algorithm_of, issuing_state
from eid.store.files import store_file

LIST_LABELS: Final = {ListKind.MASTER: "mls", ListKind.DEVIATION: "dls", ListKind.STATUS: "sls"}
STATUS_CURVE: Final = "P-256"  # JOSE has no names for the Brainpool curves
LIST_FILES: Final = {ListKind.MASTER: ("masterlist", "ml"), ListKind.DEVIATION: ("deviationlist", "dl")}
LIST_KEY_DAYS: Final = 366  # it signs for a year, and its certificate outlives the last list by another


@dataclass(slots=True)
class AuthorityLists(AuthorityKeys):
    """What an authority does with list signers."""

    def sign_list(self, kind: ListKind, content: bytes, now: datetime) -> tuple[Path, bytes]:
        """Sign a master or deviation list; its file and ContentInfo, DER. A list signer is made where none may sign.

        Args:
            content: CscaMasterList or DeviationList, DER.

        Raises:
            LifecycleError: the CSCA's key may not sign any more. KeyStoreError: a key cannot be used or made.
        """
        with self._alone():
            label = self._usable_list_signer(kind, now)
            name, suffix = LIST_FILES[kind]
            key = self._open_key(label, self.profile.authority.signer_hash)
            signer = self._recorded(key, name, now, self.profile.authority.signer_signatures)
            raw = sign_list(kind, content, signer, self.load(label), self.issuer_of(label), signing_time=now)
            number = 1
            while (path := self.directory / f"{name}-{number:06}.{suffix}").exists():
                number += 1
            store_file(path, raw)
            return path, raw

    def status_signer(self, now: datetime) -> tuple[Signer, bytes]:
        """The key that signs status lists, its certificate, DER; made where none may sign.

        Raises:
            LifecycleError: the CSCA's key may not sign any more. KeyStoreError: a key cannot be used or made.
        """
        with self._alone():
            kind = ListKind.STATUS
            label = self._usable_list_signer(kind, now)
            limit = self.profile.authority.signer_signatures
            return self._recorded(self._open_key(label, "sha256"), "status list", now, limit), self.load(label)

    def add_list_signer(self, kind: ListKind, now: datetime) -> bytes:
        """Make the next list signer, which signs from now on; its certificate, DER.

        Raises:
            LifecycleError: the CSCA's key may not sign any more. KeyStoreError: a key cannot be used or made.
        """
        with self._alone():
            return self.load(self._add_list_signer(kind, now))

    def _usable_list_signer(self, kind: ListKind, now: datetime) -> str:
        """Label of a list signer that may sign now, made where there is none."""
        newest = self.newest_list_signer(LIST_LABELS[kind])
        if newest is not None and self.is_revoked(newest[1].serial):
            # As of document signers: whatever made the key suspect may have reached the next one, too.
            what = f"the list signer {newest[0]} is revoked: make the next one with:"
            raise LifecycleError(f"{what} eid pki list-signer {kind.name.lower()}")
        return self._find_list_signer(kind, now) or self._add_list_signer(kind, now)

    def _find_list_signer(self, kind: ListKind, now: datetime) -> str | None:
        prefix = LIST_LABELS[kind]
        return next(
            (
                label
                for label, item in reversed(self.list_signers())
                if label.startswith(prefix) and self.may_sign(label, item, now)
            ),
            None,
        )

    def _add_list_signer(self, kind: ListKind, now: datetime) -> str:
        stated, prefix = self.profile.authority, LIST_LABELS[kind]
        number = 1 + sum(label.startswith(prefix) for label in self.register.list_signers)
        label = f"{prefix}-{number:03}"
        csca = self._csca_signer(now, f"certificate {label}")
        is_status = kind is ListKind.STATUS
        curve, hash_name = (STATUS_CURVE, "sha256") if is_status else (stated.signer_curve, stated.signer_hash)
        key = self._make_key(label, curve, algorithm_of(stated, curve, hash_name))
        usage = Validity(now, now + timedelta(days=LIST_KEY_DAYS))
        certificate = build_list_signer_certificate(
            kind,
            csca,
            self.csca_certificate,
            key.public_key_info,
            issuing_state(self.profile),
            f"SPECIMEN {kind.name.title()} List Signer {number:03}",
            Validity(now, usage.not_after + timedelta(days=LIST_KEY_DAYS)),
            usage,
        )
        store_file(self.directory / f"{label}.cer", certificate)
        self._keep(replace(self.register, list_signers=(*self.register.list_signers, label), unfinished=""))
        return label
