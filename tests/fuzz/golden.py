"""A bundle's golden.npz."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.fuzz.target import Target

from digitd.daemon import bundle
from digitd.daemon.errors import BundleError

FOLDER = Path(tempfile.mkdtemp(prefix="digitd-fuzz-"))
RAW, MEMBER = b"\0", b"\1"
"""What an input begins with: the whole file follows, or one array of it, which is then packed with a right checksum."""
WHOLE = {
    "samples": np.linspace(-1, 1, 8, dtype=np.float32),
    "features": np.ones((4, 2), np.float32),
    "posteriors": np.ones((2, 3), np.float32),
}


def run(data: bytes) -> None:
    """It is refused, or holds three arrays of floats that are something."""
    (FOLDER / bundle.GOLDEN).write_bytes(packed(data[1:]) if data[:1] == MEMBER else data[1:])
    try:
        golden = bundle._golden(FOLDER, 2)
    except BundleError as error:
        told = str(error)
        assert told.isprintable()
        return
    for array, n_dimensions in ((golden.samples, 1), (golden.features, 2), (golden.posteriors, 2)):
        assert array.dtype == np.float32
        assert array.ndim == n_dimensions
        assert array.size


def packed(member: bytes) -> bytes:
    """A file of which everything is right but one array."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in WHOLE.items():
            archive.writestr(f"{name}.npy", member if name == "samples" else npy(array))
    return file.getvalue()


def npy(array: NDArray[Any]) -> bytes:
    """The array as numpy writes it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(save: Callable[..., None]) -> bytes:
    """The whole file as numpy writes it."""
    file = io.BytesIO()
    save(file, samples=WHOLE["samples"], features=WHOLE["features"], posteriors=WHOLE["posteriors"])
    return file.getvalue()


def replaced(at: int, value: int) -> bytes:
    """A whole packed file with another byte at a place, which is counted from the first entry of its table."""
    file = bytearray(npz(np.savez_compressed))
    file[file.index(b"PK\1\2") + at] = value
    return RAW + bytes(file)


def seeds() -> Iterator[bytes]:
    """Small ones, stored and packed, whole and with one array at a time."""
    for save in (np.savez, np.savez_compressed):
        yield RAW + npz(save)
        yield RAW + npz(save)[:-1]
    for array in (WHOLE["samples"], np.zeros(0, np.float32), np.zeros(3, ">f4"), np.zeros(3), np.array(["a"])):
        yield MEMBER + npy(array)


HEAD = npy(WHOLE["samples"])
FOUND = (
    MEMBER + b"no array",  # AttributeError: numpy hands it out as it is
    MEMBER + npy(np.zeros(0, np.float32)),  # nothing proves nothing: ValueError in the comparison
    MEMBER + HEAD.replace(b"(8,), }" + b" " * 20, b"(" + b"9" * 21 + b",), }"),  # OverflowError
    MEMBER + HEAD.replace(b"}", b" "),  # tokenize.TokenError
    replaced(8, 1),  # RuntimeError: encrypted
    replaced(10, 99),  # NotImplementedError: packed by an unknown method
    replaced(-30, 0xFF),  # zlib.error
)

TARGET = Target(
    run=run,
    seeds=seeds,
    found=FOUND,
    words=(
        b"PK\1\2",
        b"PK\3\4",
        b"PK\5\6",
        b"PK\6\6",
        b"\x93NUMPY",
        "'descr'",
        "'<f4'",
        "'|O'",
        "'shape'",
        "99999999999,",
    ),
)
