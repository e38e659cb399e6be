"""Digits -> strings: the legal one that was most likely said, beside what was heard."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import exp, log, prod

from digitd.daemon.events import Alternative, Digit, Doubt, String
from digitd.daemon.settings import setting
from digitd.daemon.string_format import FormatConfig, StringFormat

FAR_SHARE = 0.1
"""A legal string that is less than so many times as likely as the likeliest is far from what was heard."""
MOST_TRIED = 5_000
"""Of the likeliest strings; a check digit lets one in ten through."""
TIE_PLACES = 9
"""Costs that are equal to so many places are: to leave out one digit or another is often just as likely."""
LONGEST_DIGITS = 100
"""A string is ended there: nobody says a longer one, and a stream that never pauses must not fill the memory."""
LEAST_SHARE = 1e-4
"""Of an alternative, so that the worst heard digit can still be mended."""


@dataclass(frozen=True)
class StringConfig:
    """When a string of digits is over, and what a legal one is."""

    end_silence_ms: int = setting(700, at_least=100, at_most=10000)
    """So much silence after a digit ends its string."""
    n_best: int = setting(3, at_least=1, at_most=100)
    """So many strings are told, the likeliest first."""
    format: FormatConfig = field(default_factory=FormatConfig)


Options = tuple[tuple[str, float], ...]
"""What may have been said at one place, the likeliest first: a digit or "" for nothing, with its probability."""


def options(digit: Digit) -> Options:
    """What may have been said where a digit was published. It was published: nothing is at most half as likely."""
    shares = {label: max(share, LEAST_SHARE) for label, share in digit.shares} or {digit.digit: digit.confidence}
    shares[digit.digit] = max(shares.values())
    shares[""] = max(min(1 - sum(shares.values()), shares[digit.digit] / 2), LEAST_SHARE)
    return _ranked(shares)


def calibration(digit: Digit) -> float:
    """How much surer of a published digit its calibrated confidence is than its share among its options."""
    return digit.confidence / dict(options(digit))[digit.digit]


def _calibrated(heard: str, share: float, calibrated: float) -> Callable[[str, float], float]:
    """(string, its share) -> confidence: `calibrated` as sure of what was heard, the others deal out the rest.

    Their order stays: which string is the likeliest hangs on the shares alone.
    """
    of_heard = min(1.0, share * calibrated)
    scale = (1 - of_heard) / (1 - share) if share < 1 else 1.0
    return lambda string, of_string: of_heard if string == heard else of_string * scale


def doubtful_options(doubt: Doubt) -> Options:
    """What may have been said where nothing was published: nothing is at least twice as likely."""
    shares = {label: max(share, LEAST_SHARE) for label, share in doubt.shares}
    shares[""] = max(1 - sum(shares.values()), 2 * max(shares.values()))
    return _ranked(shares)


def _ranked(shares: dict[str, float]) -> Options:
    total = sum(shares.values())
    return tuple(sorted(((label, share / total) for label, share in shares.items()), key=lambda item: -item[1]))


def likeliest(places: list[Options]) -> Iterator[tuple[str, float]]:
    """All strings of so many independent places with their probability, the likeliest first.

    Each step takes the best string off a heap and puts those back that differ from it in one place by one rank. Equally
    likely ones come in the order of their ranks.
    """
    first = (0,) * len(places)
    heap, seen = [(-sum(log(place[0][1]) for place in places), first)], {first}
    while heap:
        cost, ranks = heapq.heappop(heap)
        yield "".join(place[rank][0] for place, rank in zip(places, ranks, strict=True)), exp(-cost)
        for at, rank in enumerate(ranks):
            following = (*ranks[:at], rank + 1, *ranks[at + 1 :])
            if rank + 1 < len(places[at]) and following not in seen:
                seen.add(following)
                more = log(places[at][rank][1]) - log(places[at][rank + 1][1])
                heapq.heappush(heap, (round(cost + more, TIE_PLACES), following))


class StringDecoder:
    """Joins digits to strings by the silence between them, and prefers a legal string.

    Raises:
        ConfigError: the format needs what is not installed.
    """

    def __init__(self, config: StringConfig) -> None:
        self._config, self._format = config, StringFormat(config.format)
        self._end_silence_s = config.end_silence_ms / 1000
        self._digits: list[Digit] = []
        self._doubts: list[Doubt] = []

    @property
    def is_open(self) -> bool:
        """Whether a string has begun that is not over."""
        return bool(self._digits)

    @property
    def over_s(self) -> float:
        """When the string that has begun is over, where nothing more is said; without one never."""
        return self._digits[-1].end_s + self._end_silence_s if self._digits else float("inf")

    def add(self, digit: Digit) -> Iterator[String]:
        """Take a digit in; a string that its late start ends comes out."""
        yield from self.advance(digit.start_s, digit.emitted_s)
        self._digits.append(digit)
        if len(self._digits) == LONGEST_DIGITS:
            yield from self.finish(digit.emitted_s)

    def consider(self, doubt: Doubt) -> None:
        """Take in what was no digit but may have been: a format may ask for it. Outside a string it is forgotten."""
        if not self._digits:
            self._doubts = [d for d in self._doubts if doubt.at_s - d.at_s <= self._end_silence_s]
        if len(self._doubts) < LONGEST_DIGITS:
            self._doubts.append(doubt)

    def advance(self, silent_until_s: float, taken_in_s: float) -> Iterator[String]:
        """The string that is over, where nothing was said up to `silent_until_s` of the stream."""
        if silent_until_s >= self.over_s:
            yield from self.finish(taken_in_s)

    def finish(self, taken_in_s: float) -> Iterator[String]:
        """The string that is open at the end of the stream."""
        digits, doubts = self._digits, self._doubts
        self._digits, self._doubts = [], []
        if digits:
            yield self._decoded(digits, doubts, taken_in_s)

    def _decoded(self, digits: list[Digit], doubts: list[Doubt], taken_in_s: float) -> String:
        heard = "".join(digit.digit for digit in digits)
        first_s, last_s = (digits[n].end_s for n in (0, -1))
        near = [d for d in doubts if first_s - self._end_silence_s <= d.at_s <= last_s + self._end_silence_s]
        places = [(digit.end_s, options(digit)) for digit in digits] + [(d.at_s, doubtful_options(d)) for d in near]
        places.sort(key=lambda place: place[0])
        legal: dict[str, float] = {}
        best = 0.0
        for tried, (string, probability) in enumerate(likeliest([ranked for _, ranked in places])):
            best = best or probability
            if len(legal) == self._config.n_best or tried == MOST_TRIED:
                break
            if string and self._format.allows(string):
                legal[string] = legal.get(string, 0.0) + probability
        chosen = next(iter(legal), heard)
        sure = _calibrated(heard, legal.get(heard, best), prod(map(calibration, digits)))
        return String(
            digits=chosen,
            confidence=sure(chosen, legal.get(chosen, best)),
            start_s=digits[0].start_s,
            end_s=digits[-1].end_s,
            emitted_s=taken_in_s,
            heard=heard,
            legal=bool(legal),
            far=not legal or legal[chosen] < FAR_SHARE * best,
            n_best=tuple(Alternative(string, sure(string, share)) for string, share in legal.items()),
        )
