"""Whether ONNX Runtime is installed, once, and whole. Without it nothing else of the daemon can be imported."""

from collections.abc import Iterator
from importlib import import_module, metadata

from digitd.daemon.checks.finding import Finding, fail, ok

WHAT = "ONNX Runtime"
CPU, GPU = "onnxruntime", "onnxruntime-gpu"


def examine() -> Iterator[Finding]:
    """The package that is installed."""
    found = {name: version for name in (CPU, GPU) if (version := _version(name))}
    trouble = why_not()
    if len(found) > 1:
        yield fail(
            WHAT,
            f"{CPU} {found[CPU]} and {GPU} {found[GPU]} are both installed; they overwrite each other's files",
            f"pip uninstall -y {CPU} {GPU}, then pip install 'digitd[gpu]' (or 'digitd[cpu]')",
        )
    elif trouble and found:
        name = next(iter(found))
        yield fail(WHAT, f"{name} cannot be loaded: {trouble}", f"pip install --force-reinstall --no-deps {name}")
    elif trouble:
        yield fail(WHAT, f"not installed: {trouble}", "pip install 'digitd[cpu]', or 'digitd[gpu]' for a CUDA card")
    else:
        yield ok(WHAT, ", ".join(f"{name} {version}" for name, version in found.items()) or "of no package")


def why_not() -> str:
    """Why it cannot be loaded, or nothing."""
    try:
        module = import_module("onnxruntime")
    except ImportError as error:
        return str(error)
    return "" if hasattr(module, "InferenceSession") else "its files are gone"  # of another package's removal


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
