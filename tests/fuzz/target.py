"""What every fuzz target offers; one target a file."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = ("request", "config", "manifest", "golden", "network", "recording", "pcm")
"""The targets, the fastest first."""


@dataclass(frozen=True)
class Target:
    """What is fuzzed, and what a run begins with."""

    run: Callable[[bytes], None]
    """Takes one input; raises where the product does what it must not."""
    seeds: Callable[[], Iterable[bytes]]
    """Real values, made anew each time from what the product ships."""
    found: tuple[bytes, ...] = ()
    """Inputs that have once broken it."""
    words: tuple[str | bytes, ...] = ("\0\0\0\0",)
    """What inputs are made of: libFuzzer's dictionary."""
    longest_bytes: int = 4096
    timeout_s: int = 10
    """An input that takes longer is a hang."""
    most_rss_mb: int = 400
    """A process that grows beyond this leaks."""

    def corpus(self) -> list[bytes]:
        """All that a run begins with."""
        return [*self.found, *self.seeds()]

    def dictionary(self) -> str:
        """The words as libFuzzer reads them."""
        words = (word.encode() if isinstance(word, str) else word for word in self.words)
        escaped = ("".join(rf"\x{byte:02x}" for byte in word) for word in words)
        return "".join(f'"{word}"\n' for word in escaped)
