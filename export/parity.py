"""Whether an ONNX file answers as the Keras model does."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.errors import ExportError
from digitd.daemon.session import ONNX_ERRORS, open_session
from digitd.export.convert import INPUT, OUTPUT

TOLERANCE = 1e-5
"""Largest difference of a posterior; conversions that hold show some 1e-7."""


def posteriors(path: Path, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [n, n_labels] of float32 [n, n_mels, n_frames], from an ONNX file run as the daemon runs it.

    Raises:
        ExportError: ONNX Runtime cannot run the file.
    """
    try:
        session = open_session(path, "cpu")
        found: NDArray[np.float32] = session.run([OUTPUT], {INPUT: features[..., np.newaxis]})[0]
    except ONNX_ERRORS as error:
        reason = " ".join(str(error).split())
        raise ExportError(f"the converted network does not run ({reason}); use layers that tf2onnx converts") from error
    return found


def check(model: Any, path: Path, features: NDArray[np.float32]) -> float:
    """The largest difference between the Keras model and the file on real features.

    Raises:
        ExportError: it is above TOLERANCE, or the file does not run.
    """
    wanted = model.predict(features[..., np.newaxis], batch_size=256, verbose=0)
    difference = float(np.abs(posteriors(path, features) - wanted).max())
    if not difference <= TOLERANCE:
        raise ExportError(
            f"the converted network differs from Keras by {difference:.2g}, allowed are {TOLERANCE:g}; use layers that "
            "tf2onnx converts faithfully"
        )
    return difference
