"""Which strings of digits are legal: by length, pattern and check digit."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from digitd.daemon.errors import ConfigError
from digitd.daemon.settings import setting

CHECKS = {
    "luhn": "luhn",
    "verhoeff": "verhoeff",
    "damm": "damm",
    "mod-11-10": "iso7064.mod_11_10",
    "mod-97-10": "iso7064.mod_97_10",
    "ean": "ean",
    "isbn": "isbn",
    "imei": "imei",
}
"""Modules of python-stdnum."""
Check = Literal["", "luhn", "verhoeff", "damm", "mod-11-10", "mod-97-10", "ean", "isbn", "imei"]


MOST_DIGITS = 1000
"""Nobody says more in one string."""


@dataclass(frozen=True)
class FormatConfig:
    """What a legal string is; with nothing given, every string is."""

    lengths: tuple[int, ...] = setting((), at_least=1, at_most=MOST_DIGITS)
    """So many digits, e.g. [10] or [7, 10]; empty: any number."""
    patterns: tuple[str, ...] = ()
    """Regular expressions, of which one must fit the whole string; empty: any digits."""
    check: Check = ""
    """What its check digit must hold."""

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise ValueError(f"patterns: {pattern!r} is no regular expression ({error})") from error


class StringFormat:
    """Tells legal strings.

    Raises:
        ConfigError: the check needs python-stdnum, which is not installed.
    """

    def __init__(self, config: FormatConfig) -> None:
        self._lengths, self._patterns = set(config.lengths), [re.compile(pattern) for pattern in config.patterns]
        self._check = _check(config.check) if config.check else None

    def allows(self, digits: str) -> bool:
        """Whether the string is legal."""
        return (
            (not self._lengths or len(digits) in self._lengths)
            and (not self._patterns or any(pattern.fullmatch(digits) for pattern in self._patterns))
            and (self._check is None or self._check(digits))
        )


def _check(name: str) -> Callable[[str], bool]:
    try:
        is_valid: Callable[[str], bool] = importlib.import_module(f"stdnum.{CHECKS[name]}").is_valid
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"string.format.check = {name!r} needs python-stdnum; install it with `pip install 'digitd[check]'`"
        ) from error
    return is_valid
