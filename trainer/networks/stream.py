"""Networks that hear a stream of mel frames: built once for training on whole scenes, once to step through a live one.

A causal layer needs what came before its input. While training that is silence; in the stepping network it is a slice
of one flat `state`, whose successor the network gives beside its posteriors. Both are built by the same function, in
the same order, so the weights of one fit the other.

All layers but the last are two-dimensional, over time and bands. While training channels come last; in the stepping
network they come first, as ONNX has them: else it would turn each layer's input and output around, and one step would
take twice as long.
"""

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray


def _axes() -> tuple[int, int]:
    """Of a tensor of four dimensions the axes of time and of channels."""
    return (1, 3) if keras.config.image_data_format() == "channels_last" else (2, 1)


class Past(Protocol):
    """Where a layer's past comes from."""

    def before(self, x: Any, n_frames: int) -> Any:
        """[batch, time, bands, channels] with the n_frames that came before it in front."""
        ...


class Silence:
    """Nothing was before: each scene begins a stream."""

    def before(self, x: Any, n_frames: int) -> Any:
        """With zeros in front."""
        return keras.layers.ZeroPadding2D(((n_frames, 0), (0, 0)))(x)


class Memory:
    """The state between two steps, float32 [batch, state_size], dealt out to the layers in their order."""

    def __init__(self, state: Any) -> None:
        self._state = state
        self._used = 0
        self._kept: list[Any] = []

    def before(self, x: Any, n_frames: int) -> Any:
        """With what the last step kept in front."""
        time, _ = _axes()
        shape = tuple(n_frames if axis == time else x.shape[axis] for axis in (1, 2, 3))
        size = math.prod(shape)
        past = keras.layers.Reshape(shape)(self._state[:, self._used : self._used + size])
        self._used += size
        longer = keras.layers.Concatenate(axis=time)([past, x])
        last = longer[:, -n_frames:] if time == 1 else longer[:, :, -n_frames:]
        self._kept.append(keras.layers.Reshape((size,))(last))
        return longer

    @property
    def next_state(self) -> Any:
        """float32 [batch, state_size]."""
        return keras.layers.Concatenate(axis=1)(self._kept)


class Meter:
    """Counts how large the state must be."""

    def __init__(self) -> None:
        self.size = 0

    def before(self, x: Any, n_frames: int) -> Any:
        """As Silence, counting."""
        time, _ = _axes()
        self.size += n_frames * math.prod(x.shape[axis] for axis in (1, 2, 3) if axis != time)
        return Silence().before(x, n_frames)


LOGITS = "logits"
"""Name of the last layer of every network."""
Layers = Callable[[Any, int, Past], Any]
"""(frames [batch, time, n_mels], n_outputs, past) -> logits [batch, time / FRAMES_PER_OUTPUT, n_outputs]."""


def build(name: str, n_mels: int, n_outputs: int) -> Any:
    """A new Keras model: frames [batch, time, n_mels] -> logits [batch, time / FRAMES_PER_OUTPUT, n_outputs]."""
    frames = keras.Input((None, n_mels), name="frames")
    return keras.Model(frames, _layers(name)(frames, n_outputs, Silence()), name=name)


PHONES = "phones"


def with_phones(model: Any, n_phones: int) -> Any:
    """The same network with a second answer, logits of phones [batch, n_outputs, n_phones]."""
    phones = keras.layers.Dense(n_phones, name=PHONES)(model.get_layer(LOGITS).input)
    return keras.Model(model.input, [model.output, phones], name=model.name)


def without_phones(model: Any) -> Any:
    """The network alone, as it is kept."""
    return keras.Model(model.input, model.get_layer(LOGITS).output, name=model.name)


def hidden(model: Any) -> Any:
    """The same network without its last layer."""
    return keras.Model(model.input, model.get_layer(LOGITS).input)


JOINT = "."
"""Between the names of networks that are joined."""


def together(models: Sequence[Any]) -> Any:
    """One network whose logits are the mean of several networks' of the same labels.

    Networks that were trained from other beginnings or of other forms err in other places. The mean of their logits is
    one last layer over all that theirs are shown, so what is made of one network can be made of these.
    """
    if len(models) == 1:
        return models[0]
    (n_outputs,), (n_mels,) = {m.output_shape[-1] for m in models}, {m.input_shape[-1] for m in models}
    frames = keras.Input((None, n_mels), name="frames")
    last = keras.layers.Dense(n_outputs, name=LOGITS)
    logits = last(keras.layers.Concatenate()([hidden(model)(frames) for model in models]))
    kernels, biases = zip(*(model.get_layer(LOGITS).get_weights() for model in models), strict=True)
    last.set_weights([np.concatenate(kernels) / len(models), np.mean(biases, axis=0)])
    return keras.Model(frames, logits, name=JOINT.join(model.name for model in models))


def stepping(trained: Any) -> Any:
    """The same network with its past in a state: (frames, state) -> (posteriors, next state)."""
    layout = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        return _stepping(trained)
    finally:
        keras.config.set_image_data_format(layout)


def _stepping(trained: Any) -> Any:
    n_mels, n_outputs = trained.input_shape[-1], trained.output_shape[-1]
    networks = [_layers(name) for name in trained.name.split(JOINT)]
    meter = Meter()
    for layers in networks:
        layers(keras.Input((None, n_mels)), n_outputs, meter)
    frames, state = keras.Input((None, n_mels), name="frames"), keras.Input((meter.size,), name="state")
    memory, shown = Memory(state), []
    parts = [each for each in trained.layers if isinstance(each, keras.Model)] or [hidden(trained)]
    for layers, part in zip(networks, parts, strict=True):
        logits = layers(frames, n_outputs, memory)
        shown.append(keras.Model([frames, state], logits).get_layer(LOGITS).input)
        _fill(keras.Model([frames, state], shown[-1]), part.get_weights())
    last = keras.layers.Dense(n_outputs)
    logits = last(shown[0] if len(shown) == 1 else keras.layers.Concatenate()(shown))
    last.set_weights(trained.get_layer(LOGITS).get_weights())
    return keras.Model([frames, state], [keras.layers.Softmax()(logits), memory.next_state])


def _fill(model: Any, weights: list[NDArray[np.float32]]) -> None:
    """Set weights, of which an older network's may have fewer dimensions."""
    model.set_weights([old.reshape(new.shape) for old, new in zip(weights, model.get_weights(), strict=True)])


def _layers(name: str) -> Layers:
    layers: Layers = importlib.import_module(f"digitd.trainer.networks.{name}").layers
    return layers


def normalised(x: Any) -> Any:
    """Batch normalisation, then max(0, x)."""
    return keras.layers.ReLU()(batch_normalised(x))


def batch_normalised(x: Any) -> Any:
    """Batch normalisation of the channels."""
    return keras.layers.BatchNormalization(axis=_axes()[1])(x)


def joined(parts: list[Any]) -> Any:
    """Their channels, one behind the other."""
    return keras.layers.Concatenate(axis=_axes()[1])(parts)


def front(frames: Any, past: Past, channels: tuple[int, int], width: int) -> Any:
    """Two convolutions over time and mel bands, each halving both, then `width` channels a frame and one band.

    A voice's formants lie higher or lower; convolving over bands lets one kernel find them wherever they are.
    """
    x = keras.ops.expand_dims(frames, _axes()[1])
    for n_channels, bands in zip(channels, (5, 3), strict=True):
        x = keras.layers.ZeroPadding2D(((0, 0), (bands // 2, bands // 2)))(past.before(x, 2))
        x = normalised(keras.layers.Conv2D(n_channels, (4, bands), strides=2, use_bias=False)(x))
    n_bands = x.shape[6 - sum(_axes())]
    return normalised(keras.layers.Conv2D(width, (1, n_bands), use_bias=False)(x))


def residual(x: Any, past: Past, dilation: int, kernel: int = 3, dropout: float = 0.1) -> Any:
    """A dilated causal convolution around which the input passes unchanged."""
    longer = past.before(x, (kernel - 1) * dilation)
    y = keras.layers.Conv2D(x.shape[_axes()[1]], (kernel, 1), dilation_rate=(dilation, 1), use_bias=False)(longer)
    return added(x, batch_normalised(y), dropout)


def added(x: Any, y: Any, dropout: float) -> Any:
    """max(0, x + y), some channels left out while training."""
    return keras.layers.SpatialDropout2D(dropout)(keras.layers.ReLU()(keras.layers.Add()([x, y])))


def logits(x: Any, n_outputs: int) -> Any:
    """[batch, time, n_outputs] of the one band that is left."""
    x = x[:, :, 0] if _axes()[0] == 1 else keras.ops.transpose(x[..., 0], (0, 2, 1))
    return keras.layers.Dense(n_outputs, name=LOGITS)(x)
