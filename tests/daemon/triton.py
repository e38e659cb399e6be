"""A real NVIDIA Triton on loopback: the server of the wheel `nvidia-pytriton`, which is installed once and kept."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Self
from urllib.request import urlopen

import pytest

WHEELS = ("nvidia-pytriton==0.7.0", "onnxruntime", "numpy<2")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "digitd-tests")
LEAST_GLIBC = (2, 35)
READY_S = 60.0
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def installed() -> Path:
    """The environment of the wheels; pytest skips where they cannot be had or cannot run."""
    library, version = platform.libc_ver()
    if library != "glibc" or tuple(map(int, version.split("."))) < LEAST_GLIBC:
        pytest.skip(f"Triton's server needs glibc 2.35 or newer, this is {library} {version}")
    folder = CACHE / f"triton-{PYTHON}"
    if not folder.exists():
        part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
        venv.create(part)  # the backend's process takes the packages of the `python3` that it finds
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(_site(part)), *WHEELS]
        free = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}  # its numpy is older
        done = subprocess.run(pip, capture_output=True, text=True, check=False, env=free)
        if done.returncode:
            shutil.rmtree(part, ignore_errors=True)
            pytest.skip(f"no Triton to be had: {done.stderr.strip().splitlines()[-1]}")
        server = _site(part) / "pytriton/tritonserver"
        shutil.copy2(
            server / "python_backend_stubs" / PYTHON / "triton_python_backend_stub", server / "backends/python"
        )
        part.rename(folder)
    return folder


def _site(environment: Path) -> Path:
    return environment / "lib" / f"python{PYTHON}" / "site-packages"


def run_by_python(repository: Path) -> None:
    """Let the Python backend run what a repository's models are of the ONNX backend, which the wheel has not."""
    for config in repository.glob("*/config.pbtxt"):
        text = config.read_text(encoding="utf-8")
        assert 'backend: "onnxruntime"' in text
        config.write_text(text.replace('backend: "onnxruntime"', 'backend: "python"'), encoding="utf-8")
        for network in config.parent.glob("*/model.onnx"):
            shutil.copyfile(Path(__file__).with_name("triton_model.py"), network.with_name("model.py"))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Triton:
    """One server, which keeps its ports when it is started again."""

    def __init__(self, folder: Path, repository: Path, log: Path) -> None:
        self._folder, self._repository, self._log = folder, repository, log
        self._http, self._grpc = free_port(), free_port()
        self._shared = f"digitd-triton-{self._http}-"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self._http}"

    @property
    def grpc(self) -> str:
        return f"grpc://127.0.0.1:{self._grpc}"

    def __enter__(self) -> Self:
        self.start()
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Begin; it answers after `wait`."""
        server = _site(self._folder) / "pytriton/tritonserver"
        environment = {
            **os.environ,
            "LD_LIBRARY_PATH": str(_site(self._folder) / "nvidia_pytriton.libs"),
            "PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}",
        }
        options = {
            "model-repository": self._repository,
            "backend-directory": server / "backends",
            "http-address": "127.0.0.1",
            "http-port": self._http,
            "grpc-address": "127.0.0.1",
            "grpc-port": self._grpc,
            "allow-metrics": "false",
            "model-control-mode": "poll",
            "repository-poll-secs": 1,
            "backend-config": f"python,shm-region-prefix-name={self._shared}",
        }
        command = [str(server / "bin/tritonserver"), *(f"--{name}={value}" for name, value in options.items())]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def wait(self) -> None:
        """Until its models are ready."""
        self._until("/v2/health/ready")

    def until_version(self, version: int, model: str) -> None:
        """Until it has found a version that came while it ran."""
        self._until(f"/v2/models/{model}/versions/{version}/ready")

    def _until(self, path: str) -> None:
        assert self._process is not None
        end_s = time.monotonic() + READY_S
        while time.monotonic() < end_s and self._process.poll() is None:
            try:
                with urlopen(self.http + path, timeout=1):  # noqa: S310 - loopback
                    return
            except OSError:  # HTTPError is one
                time.sleep(0.05)
        pytest.fail(f"Triton is not ready:\n{self._log.read_text(errors='replace')[-3000:]}")

    def kill(self) -> None:
        """As a machine dies."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)  # its backend's processes too
            self._process.wait()
            self._process = None
            for memory in Path("/dev/shm").glob(f"{self._shared}*"):
                memory.unlink()
