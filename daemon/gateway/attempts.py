"""Who has shown a wrong token too often, and has to wait."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field

MOST_WRONG = 5
"""So many within WINDOW_S; one who has mistyped needs fewer."""
WINDOW_S = 60.0
WAIT_S = 60.0
MOST_ORIGINS = 4096
"""Of so many at most something is kept; it is the one longest without a wrong token that is forgotten."""
SUBSCRIBER_BITS = 64
"""What a provider gives to one subscriber of IPv6, who may come from any address of it."""


@dataclass
class _Account:
    wrong_s: list[float] = field(default_factory=list)
    """When, of those that still count."""
    until_s: float = float("-inf")
    """Till then nothing is heard of him."""


class Attempts:
    """Counts wrong tokens by where they come from. All times are of one clock that never goes back."""

    def __init__(self, most_origins: int = MOST_ORIGINS) -> None:
        self._most_origins = most_origins
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accounts)

    def wait_s(self, origin: str, now_s: float) -> float:
        """So long he has to wait; 0 where he may try."""
        account = self._accounts.get(origin)
        return max(0.0, account.until_s - now_s) if account else 0.0

    def fail(self, origin: str, now_s: float) -> bool:
        """A token of his was wrong; whether that was one too many."""
        account = self._accounts.setdefault(origin, _Account())
        self._accounts.move_to_end(origin)
        if len(self._accounts) > self._most_origins:
            self._accounts.popitem(last=False)
        account.wrong_s = [*(at_s for at_s in account.wrong_s if now_s - at_s < WINDOW_S), now_s]
        if len(account.wrong_s) < MOST_WRONG:
            return False
        account.wrong_s, account.until_s = [], now_s + WAIT_S
        return True


def origin(address: str) -> str:
    """Whom an address stands for: itself, or all of one subscriber of IPv6; any text is one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, SUBSCRIBER_BITS), strict=False))
