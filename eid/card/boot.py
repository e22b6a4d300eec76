"""How a card's memory begins: blank, or filled from a card image."""

from __future__ import annotations

from collections.abc import Callable

from eid.card.keys import KeyOrder, generate_key, import_key
from eid.card.memory import Directory, LifeCycle, Memory, StoredKey, StoredPassword, TransparentFile
from eid.card.trust import load_trust
from eid.errors import LifecycleError
from eid.profile.card_image import ApplicationImage, CardImage, ChipImage, FileImage, KeyImage
from eid.protocols.scp03.card import SecurityDomain
from eid.protocols.scp03.core import KDD_LENGTH
from eid.protocols.scp03.key_set import StaticKeySet, default_key_set


def blank_memory(chip: ChipImage, serial: bytes) -> Memory:
    """A factory card: the default key set of the chip's length and version, and nothing else."""
    domain = chip.security_domain
    return Memory(chip, _domain(chip, serial, default_key_set(domain.key_length, domain.key_version), 0))


def image_memory(
    image: CardImage, serial: bytes, keys: StaticKeySet, sequence: int, random: Callable[[int], bytes]
) -> Memory:
    """An operational card that holds the image.

    Raises:
        DecodeError: an injected key is not of the kind the image says.
    """
    memory = Memory(image.chip, _domain(image.chip, serial, keys, sequence), LifeCycle.OPERATIONAL)
    memory.master.files = _files(image.master_files)
    memory.master.activated = True
    memory.applications = {entry.aid: _application(entry, random) for entry in image.applications}
    memory.passwords = {
        password.id: StoredPassword(password.value, password.tries, password.tries) for password in image.passwords
    }
    memory.pace = image.pace
    memory.trust = load_trust(image.trust_points, image.trust_date)
    return memory


def _domain(chip: ChipImage, serial: bytes, keys: StaticKeySet, sequence: int) -> SecurityDomain:
    if len(serial) != KDD_LENGTH:
        raise LifecycleError(f"a chip's serial number has {KDD_LENGTH} octets, not {len(serial)}")
    if keys.key_length != chip.security_domain.key_length:
        raise LifecycleError(f"the chip wants SCP03 keys of {chip.security_domain.key_length} octets")
    return SecurityDomain(chip.security_domain.aid, serial, chip.security_domain.i_parameter, keys, sequence)


def _application(image: ApplicationImage, random: Callable[[int], bytes]) -> Directory:
    keys = (_key(key, random) for key in image.keys)
    return Directory(
        image.aid,
        None,
        files=_files(image.files),
        keys={key.reference: key for key in keys},
        basic_access_control=image.basic_access_control,
        activated=True,
    )


def _files(images: tuple[FileImage, ...]) -> dict[int, TransparentFile]:
    return {
        image.fid: TransparentFile(image.fid, image.sfi, bytearray(image.content), image.read, image.update)
        for image in images
    }


def _key(image: KeyImage, random: Callable[[int], bytes]) -> StoredKey:
    order = KeyOrder(image.purpose, image.reference, image.algorithm)
    if image.private_key is None:
        return generate_key(order, random)
    return import_key(order, image.private_key)
