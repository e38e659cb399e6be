"""Takes -> what the daemon makes of each, through its own pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from digitd.daemon.audio import Block, Samples
from digitd.daemon.bundle import Thresholds
from digitd.daemon.events import Digit
from digitd.daemon.listener import Network, open_network
from digitd.daemon.mode import Mode
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.export.calibration.share import Share
from digitd.export.calibration.take import Take

MODES: tuple[Mode, ...] = ("always", "entry")


@dataclass(frozen=True)
class Heard:
    """A take and the digits that came of it."""

    take: Take
    digits: str

    @property
    def right(self) -> bool:
        """Exactly one digit, and it is the one that was said."""
        return self.digits == self.take.label


def digits(network: Network, samples: Samples, rate_hz: int, mode: Mode, config: PipelineConfig) -> str:
    """All digits of float32 [n_samples], one after the other."""
    pipeline = Pipeline(network, mode, rate_hz, config)
    bodies = [*pipeline.push(Block(samples[:, np.newaxis])), *pipeline.finish()]
    return "".join(body.digit for body in bodies if isinstance(body, Digit))


def hear(network: Network, takes: Sequence[Take], mode: Mode, config: PipelineConfig) -> list[Heard]:
    """Each take as a stream of its own."""
    return [Heard(take, digits(network, take.samples, take.rate_hz, mode, config)) for take in takes]


def share(heard: Sequence[Heard]) -> Share:
    """Of those that were right."""
    return Share(sum(each.right for each in heard), len(heard))


def at(network: Network, thresholds: Thresholds) -> Network:
    """The same network at other thresholds."""
    manifest = replace(network.bundle.manifest, thresholds=thresholds)
    return open_network(replace(network.bundle, manifest=manifest), "cpu")
