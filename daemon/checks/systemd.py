"""What a service manager knows of digitd's units."""

import subprocess
from collections.abc import Mapping
from typing import Literal

SERVICE, SOCKET = "digitd.service", "digitd.socket"
ANSWER_S = 3.0

Manager = Literal["system", "user"]
Units = dict[str, dict[str, str]]
"""Unit -> its properties; empty where the manager does not answer."""

_PROPERTIES = "Id,LoadState,UnitFileState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,StatusText,Listen"


def show(manager: Manager, environment: Mapping[str, str]) -> Units:
    """Digitd's units; systemctl gives those that are not there too, with LoadState=not-found."""
    command = ["systemctl", f"--{manager}", "show", "--property", _PROPERTIES, SERVICE, SOCKET]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return {}
    if done.returncode != 0:
        return {}
    units = [_properties(block) for block in done.stdout.strip().split("\n\n")]
    return {unit["Id"]: unit for unit in units if "Id" in unit}


def waiting_path(units: Units) -> str:
    """The socket on which the manager listens for a daemon that is not there yet, or nothing."""
    unit = units.get(SOCKET, {})
    return unit.get("Listen", "").partition(" (")[0] if unit.get("SubState") == "listening" else ""


def _properties(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
