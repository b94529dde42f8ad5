"""Traffic: what may travel without TLS, which is nothing unless somebody says why (明文传输)."""

from lingqian.kernel.fault import Damaged


def check_traffic(profile: str, because: str, where: str, *, is_sealed: bool) -> None:
    """Refuse to carry real people's money in the clear, unless an operator has said why.

    `is_sealed`: the way there has TLS, or is a socket of this machine, which file rights guard.
    Raises: Damaged.
    """
    if profile == "sandbox" or because or is_sealed:
        return
    raise Damaged(
        f"{where} would be spoken to without TLS; give this process a credential "
        f"(`credentials`), or say in `unencrypted_traffic_because` why profile {profile} may "
        "do without"
    )
