"""config.pbtxt: how NVIDIA Triton serves a bundle's network."""

from dataclasses import dataclass

from digitd.daemon.bundle import Manifest
from digitd.daemon.settings import setting
from digitd.daemon.spotter import NEXT_STATE, STATE

CONFIG = "config.pbtxt"
GRAPH = "model.onnx"
"""The file that Triton looks for in the folder of a version."""


@dataclass(frozen=True)
class Serving:
    """How many steps run at once, and how long one waits for others to run with."""

    instances: int = setting(1, at_least=1, at_most=1024)
    """Copies of the network on a server; each takes one core, or its share of a GPU."""
    max_batch: int = setting(64, at_least=1, at_most=4096)
    max_delay_ms: float = setting(1.0, at_least=0, at_most=100)
    """A step that comes alone waits so long; 0: not at all, and what has come meanwhile runs together."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of the network; before its shape goes the batch, and -1 is any number."""

    name: str
    shape: tuple[int, ...]

    @property
    def text(self) -> str:
        """As config.pbtxt has it."""
        return f'{{ name: "{self.name}" data_type: TYPE_FP32 dims: [ {", ".join(map(str, self.shape))} ] }}'


def tensors(manifest: Manifest) -> str:
    """The inputs and outputs of a bundle's network: all versions under one name must have the same."""
    inputs, outputs = _tensors(manifest)
    return f"input [\n{_listed(inputs)}\n]\noutput [\n{_listed(outputs)}\n]\n"


def config(manifest: Manifest, serving: Serving) -> str:
    """The whole file."""
    inputs, _ = _tensors(manifest)
    warm = ",\n".join(_warm_up(manifest, inputs, n_steps) for n_steps in sorted({1, serving.max_batch}))
    return f"""\
# {manifest.name} of digitd. What a step of the network leaves to the next is an input and an output, not kept by the
# server: any replica can run any step of any stream.
name: "{manifest.name}"
backend: "onnxruntime"
max_batch_size: {serving.max_batch}
{tensors(manifest)}
# Steps of many streams, and of many daemons, run as one. Those of another number of frames wait for the next run.
dynamic_batching {{ max_queue_delay_microseconds: {round(1000 * serving.max_delay_ms)} }}
instance_group [ {{ count: {serving.instances} kind: KIND_AUTO }} ]

# A version is a release: its number is the beginning of the network's sha256, and a daemon asks for its own.
version_policy: {{ all {{ }} }}

# One thread an instance: the network is too small to be shared between cores.
parameters {{ key: "intra_op_thread_count" value: {{ string_value: "1" }} }}
parameters {{ key: "inter_op_thread_count" value: {{ string_value: "1" }} }}

# A server says that it is ready after these have run.
model_warmup [
{warm}
]
"""


def _tensors(manifest: Manifest) -> tuple[list[Tensor], list[Tensor]]:
    graph, n_labels = manifest.graph, len(manifest.labels)
    if manifest.stream is None:
        assert manifest.features is not None  # noqa: S101 - a manifest has either
        return [Tensor(graph.input, (*manifest.features.shape, 1))], [Tensor(graph.output, (n_labels,))]
    state_size = manifest.stream.state_size
    return (
        [Tensor(graph.input, (-1, manifest.stream.n_mels)), Tensor(STATE, (state_size,))],
        [Tensor(graph.output, (-1, n_labels + 1)), Tensor(NEXT_STATE, (state_size,))],
    )


def _listed(found: list[Tensor]) -> str:
    return ",\n".join(f"  {tensor.text}" for tensor in found)


def _warm_up(manifest: Manifest, inputs: list[Tensor], n_steps: int) -> str:
    """Silence, as many steps at once."""
    n_frames = manifest.stream.frames_per_output if manifest.stream else 1
    lines = []
    for tensor in inputs:
        dims = ", ".join(str(n_frames if size < 0 else size) for size in tensor.shape)
        value = f"{{ data_type: TYPE_FP32 dims: [ {dims} ] zero_data: true }}"
        lines.append(f'    inputs {{ key: "{tensor.name}" value: {value} }}')
    return "\n".join([f'  {{\n    name: "{n_steps} at once"\n    batch_size: {n_steps}', *lines, "  }"])
