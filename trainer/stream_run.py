"""The part of a run file that is for networks which hear a stream."""

from dataclasses import dataclass, field

from digitd.daemon.settings import setting
from digitd.daemon.stream_decoder import Decoding, Kind
from digitd.daemon.stream_features import StreamSpec
from digitd.trainer.scene_config import SceneConfig, Timing

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class MaskConfig:
    """Stripes of the features that are blanked anew each time (SpecAugment, Park and others, 2019)."""

    n_time: int = setting(5, at_least=0, at_most=20)
    time_frames: int = setting(10, at_least=0, at_most=200)
    """At most so wide."""
    n_bands: int = setting(2, at_least=0, at_most=20)
    bands: int = setting(6, at_least=0, at_most=100)
    """At most so many neighbours."""


@dataclass(frozen=True)
class StreamTraining:
    """Scenes are made by the round: while one round is trained on, the next is made."""

    labels: tuple[str, ...] = DIGITS
    """What is told apart; every other word is none of them."""
    kind: Kind = "isolated"
    """Of the bundle: what the scenes teach."""
    decoding: Decoding = field(default_factory=Decoding)
    """Into the bundle's manifest."""
    features: StreamSpec = field(default_factory=StreamSpec)
    scenes: SceneConfig = field(default_factory=SceneConfig)
    timing: Timing = field(default_factory=Timing)
    masks: MaskConfig = field(default_factory=MaskConfig)
    warp: float = setting(0.08, at_least=0, at_most=0.5)
    """Bands are moved by up to this share: vocal tracts differ in length."""
    scenes_per_round: int = setting(20000, at_least=1, at_most=10_000_000)
    epochs_per_round: int = setting(3, at_least=1, at_most=1000)
    """So often the scenes of a round are trained on."""
    scenes_to_validate: int = setting(1000, at_least=1, at_most=1_000_000)
    digit_weight: float = setting(3.0, at_least=0, at_most=1000)
    """Of a moment at which a digit is due, against one at which none is: there are twenty times as many of these."""
    phone_weight: float = setting(0.0, at_least=0, at_most=10)
    """Of the loss of telling phones, beside that of telling digits; 0: phones are not taught."""
    label_smoothing: float = setting(0.05, at_least=0, at_most=0.5)
    weight_decay: float = setting(0.001, at_least=0, at_most=1)
    warm_up_steps: int = setting(500, at_least=0, at_most=1_000_000)
    """So many steps the learning rate rises; then it falls by a cosine to the end of the last epoch."""
