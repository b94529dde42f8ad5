"""Volumes: whether the disk under a folder is encrypted, as far as the system can tell (磁盘加密).

Known: device mapper volumes of Linux (LUKS and plain dm-crypt), also below LVM. Whatever else
guards a disk (a cloud's own encryption, ZFS, FileVault, BitLocker) cannot be seen from here: an
operator says so in `unencrypted_volume_because`.
"""

import os
from pathlib import Path
from typing import Final

from lingqian.kernel.fault import Damaged

_DEVICES: Final = Path("/sys/dev/block")
_CRYPT: Final = "CRYPT-"


def is_encrypted(folder: Path) -> bool:
    """Say whether a folder lies on an encrypted device."""
    number = folder.stat().st_dev
    return is_crypt(_DEVICES / f"{os.major(number)}:{os.minor(number)}")


def is_crypt(device: Path) -> bool:
    """Say whether a device encrypts, or stands on nothing but devices that do."""
    try:
        if (device / "dm" / "uuid").read_text("ascii").startswith(_CRYPT):
            return True
    except OSError:
        pass  # no volume of the device mapper; what it stands on may be
    below = device / "slaves"
    parts = sorted(below.iterdir()) if below.is_dir() else []
    return bool(parts) and all(is_crypt(part) for part in parts)


def check_volume(folder: Path, profile: str, because: str) -> None:
    """Refuse real people's data on an unencrypted disk, unless an operator has said why.

    Raises: Damaged.
    """
    if profile == "sandbox" or because or is_encrypted(folder):
        return
    raise Damaged(
        f"{folder} does not lie on an encrypted volume, as far as can be seen from here; encrypt "
        f"it, or say in `unencrypted_volume_because` why profile {profile} may run without"
    )
