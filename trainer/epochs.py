"""What is kept after each epoch, and when a training ends early: by the history alone, so that a resumed run agrees."""

import time
from typing import Any

import keras

from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import TrainingConfig


def best_epoch(history: list[dict[str, Any]]) -> int:
    """The number (from 1) of the epoch with the lowest validation loss; of equals the first."""
    losses = [float(row["val_loss"]) for row in history]
    return losses.index(min(losses)) + 1


def is_over(history: list[dict[str, Any]], config: TrainingConfig) -> bool:
    """Whether the training has run all its epochs, or so many without an improvement that it stops."""
    if len(history) >= config.epochs:
        return True
    patience = config.early_stopping_epochs
    return bool(patience and history and len(history) - best_epoch(history) >= patience)


def save_network(folder: RunFolder, name: str, model: Any) -> None:
    """Keep a network in float32, whatever it was trained in, without its optimiser's state, twice as large as it."""
    layers = keras.models.clone_model(model, clone_function=_in_float32)
    layers.set_weights(model.get_weights())
    # a model of its own: a clone is compiled with the optimiser of the original
    folder.write(name, keras.Model(layers.input, layers.output, name=model.name).save)


def _in_float32(layer: Any) -> Any:
    """The same layer, computing in float32; weights are float32 in every precision that a run may ask for."""
    precise = {"dtype": "float32"} if isinstance(layer, keras.layers.Layer) else {}  # an operation goes by its input
    return type(layer).from_config({**layer.get_config(), **precise})


class SaveEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps history and checkpoint after each epoch, and the best network where it is asked for."""

    def __init__(self, folder: RunFolder, config: TrainingConfig, epochs_done: int) -> None:
        super().__init__()
        self._folder = folder
        self._config = config
        self._history: list[dict[str, Any]] = list(folder.history[:epochs_done])
        self._began = (0.0, 0.0)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 - Keras's form
        """Called by Keras."""
        self._began = (time.monotonic(), time.process_time())

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras with the number of the epoch that has just ended, from 0."""
        values = {key: round(value, 6) for key, value in (logs or {}).items()}
        wall_s, cpu_s = time.monotonic() - self._began[0], time.process_time() - self._began[1]
        self._history.append({"epoch": epoch + 1, **values, "wall_s": round(wall_s, 2), "cpu_s": round(cpu_s, 2)})
        if self._config.keep == "best" and best_epoch(self._history) == epoch + 1:
            save_network(self._folder, "best.keras", self.model)
        self._folder.save_epoch(epoch + 1, self._history, self.model.save)
        self.model.stop_training = is_over(self._history, self._config)
