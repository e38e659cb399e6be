"""Which execution provider the network runs on, and if that is not CUDA, why."""

import ctypes
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from digitd.daemon.bundle import load
from digitd.daemon.checks.finding import Finding, failed, ok, warn
from digitd.daemon.checks.host import Host
from digitd.daemon.config import DaemonConfig
from digitd.daemon.errors import BundleError, ProviderError
from digitd.daemon.listener import open_network
from digitd.daemon.muted import muted

WHAT, CUDA = "provider", "CUDA"
_CARDS = ("nvidia[0-9]*", "dxg")
"""Device files; WSL has the second."""
_DRIVER = "libcuda.so.1"
_LINKER_S = 5.0


def examine(host: Host, config: DaemonConfig) -> Iterator[Finding]:
    """The provider in use, against the one that is asked for."""
    asked, cuda = config.model.provider, cuda_provider()
    try:
        with muted():  # what ONNX Runtime says where it cannot load CUDA; `obstacles` says it better
            in_use = open_network(load(config.model.name), asked).provider
    except BundleError:  # `model` tells of it
        return
    except ProviderError as error:
        in_use = "cpu"
        yield failed(WHAT, error)
    else:
        yield ok(WHAT, f"{asked!r} takes {in_use}{'' if cuda else '; this ONNX Runtime has no CUDA in it'}")
    if cuda and in_use == "cpu" and asked != "cpu":
        yield from obstacles(host, cuda)


def cuda_provider() -> Path | None:
    """ONNX Runtime's library for CUDA, which `onnxruntime-gpu` alone has."""
    package = find_spec("onnxruntime")
    folders = [] if package is None else package.submodule_search_locations or []
    libraries = [Path(folder, "capi/libonnxruntime_providers_cuda.so") for folder in folders]
    return next((library for library in libraries if library.is_file()), None)


def obstacles(host: Host, library: Path) -> Iterator[Finding]:
    """What keeps CUDA from running."""
    if not any(found for name in _CARDS for found in (host.root / "dev").glob(name)):
        yield warn(CUDA, "there is no card: no /dev/nvidia0", 'ask for provider "cpu"; with a card, install its driver')
        return
    if trouble := _load(_DRIVER):
        yield warn(CUDA, f"the driver cannot be loaded: {trouble}", "install NVIDIA's driver; `nvidia-smi` shows it")
    missing = [name for name in missing_libraries(library) if name != _DRIVER and _load(name)]
    if missing:
        yield warn(CUDA, f"missing libraries: {', '.join(missing)}", _bringing(missing, library.parents[2]))


def missing_libraries(library: Path) -> list[str]:
    """Shared libraries that `library` needs, itself or through others, and the linker does not find."""
    done = subprocess.run(["ldd", library], capture_output=True, text=True, timeout=_LINKER_S, check=False)
    return sorted({line.split()[0] for line in done.stdout.splitlines() if line.endswith("=> not found")})


def _bringing(missing: list[str], packages: Path) -> str:
    """How to get libraries, which may lie among the Python packages without being found there."""
    found = [next(packages.glob(f"nvidia/*/lib/{name}"), None) for name in missing]
    if None not in found:
        return f"export LD_LIBRARY_PATH={':'.join(sorted({str(path.parent) for path in found if path}))}"
    return "pip install 'digitd[gpu]', which brings them; or install CUDA and cuDNN of these versions"


def _load(name: str) -> str:
    """Why a shared library cannot be loaded, or nothing."""
    try:
        ctypes.CDLL(name)
    except OSError as error:
        return str(error)
    return ""
