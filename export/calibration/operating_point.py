"""Which thresholds suit a voice: lower where that brings digits, by what the bundle's own curve says that it costs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from json import JSONDecodeError
from typing import Any

from digitd.daemon.bundle import Bundle, Thresholds
from digitd.daemon.listener import Network
from digitd.daemon.mode import Mode
from digitd.daemon.pipeline import PipelineConfig
from digitd.export.calibration.hearing import MODES, at, hear, share
from digitd.export.calibration.take import Take

DEARER = 2.0
"""False digits may become so many times as frequent as at the shipped threshold,"""
FREE_SHARE, FREE_PER_HOUR = 0.01, 10.0
"""or so frequent where they were rarer: share of other words, and an hour of speech and of noise."""
LEAST_GAIN_SHARE = 0.1
"""A threshold is lowered for so many more of the prompts: one alone may be chance."""


@dataclass(frozen=True)
class Cost:
    """False digits at a threshold, on the bundle's validation part; None where it was not measured there."""

    threshold: float
    words: float | None
    """Share of other words that give a digit."""
    speech_per_hour: float | None
    noise_per_hour: float | None

    def within(self, shipped: "Cost") -> bool:
        """Whether it is no more than DEARER than what was shipped."""
        return all(
            (mine or 0.0) <= max(DEARER * (theirs or 0.0), free)
            for mine, theirs, free in (
                (self.words, shipped.words, FREE_SHARE),
                (self.speech_per_hour, shipped.speech_per_hour, FREE_PER_HOUR),
                (self.noise_per_hour, shipped.noise_per_hour, FREE_PER_HOUR),
            )
        )

    def __str__(self) -> str:
        """`1.2 % of other words, 22 digits an hour of running speech`."""
        words = "" if self.words is None else f"{self.words:.1%} of other words"
        speech = "" if self.speech_per_hour is None else f"{self.speech_per_hour:.0f} digits an hour of running speech"
        return ", ".join(part for part in (words, speech) if part) or "not measured"


def costs(bundle: Bundle) -> list[Cost]:
    """Of each threshold of the bundle's curve, the lowest first; none where it has no curve."""
    try:
        metrics: Any = json.loads((bundle.folder / "metrics.json").read_text(encoding="utf-8"))
        points = metrics["validation"]["curve"]
        found = [Cost(*(p[key] for key in ("threshold", "words", "speech_per_hour", "noise_per_hour"))) for p in points]
    except (OSError, UnicodeDecodeError, JSONDecodeError, KeyError, TypeError):
        return []
    return sorted(found, key=lambda cost: cost.threshold)


def cost_at(curve: Sequence[Cost], threshold: float) -> Cost:
    """Of the nearest threshold that is not above it: no less than what it costs."""
    return max(
        (cost for cost in curve if cost.threshold <= threshold + 1e-9), key=lambda c: c.threshold, default=curve[0]
    )


def chosen(network: Network, takes: Sequence[Take], config: PipelineConfig) -> Thresholds:
    """The bundle's thresholds, each lowered where that gives LEAST_GAIN_SHARE more of the takes and is not too dear."""
    thresholds, curve = network.bundle.manifest.thresholds, costs(network.bundle)
    if network.bundle.manifest.stream is None or not curve:
        return thresholds
    for mode in MODES:
        thresholds = _with(thresholds, mode, _lowered(network, takes, mode, config, curve))
    thresholds = replace(thresholds, entry=min(thresholds.entry, thresholds.always))
    if thresholds == network.bundle.manifest.thresholds:
        return thresholds
    return replace(thresholds, calibration=f"chosen on {len(takes)} prompts of one person; before: {_before(network)}")


def _before(network: Network) -> str:
    thresholds = network.bundle.manifest.thresholds
    return f"always {thresholds.always:g}, entry {thresholds.entry:g}, {thresholds.calibration}"


def _lowered(
    network: Network, takes: Sequence[Take], mode: Mode, config: PipelineConfig, curve: Sequence[Cost]
) -> float:
    shipped = network.bundle.manifest.thresholds.of(mode)
    dearest = cost_at(curve, shipped)
    best, most = shipped, share(hear(network, takes, mode, config)).right
    needed = most + max(1, round(LEAST_GAIN_SHARE * len(takes)))
    for cost in reversed(curve):
        if cost.threshold >= shipped or most == len(takes):
            continue
        if not cost.within(dearest):
            break
        tried = at(network, _with(network.bundle.manifest.thresholds, mode, cost.threshold))
        right = share(hear(tried, takes, mode, config)).right
        if right >= needed and right > most:
            best, most = cost.threshold, right
    return best


def _with(thresholds: Thresholds, mode: Mode, threshold: float) -> Thresholds:
    if mode == "always":
        return replace(thresholds, always=threshold)
    return replace(thresholds, entry=threshold)
