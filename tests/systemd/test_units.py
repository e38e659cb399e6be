"""The units are valid, hardened, and agree with each other and with the configuration."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.systemd.unit import Unit

UNITS = ROOT / "systemd"
SYSTEM, USER = UNITS / "system/digitd.service", UNITS / "user/digitd.service"
EXPOSURE_MAX = {"system": 0.6, "gpu": 0.7, "user": 5.9}
"""`systemd-analyze security`: 0 is locked up, 10 is open. A user's manager lacks most of what this figure counts."""
TAKEN_AT_HOME = ("ExecStart", "After", "ConditionUser", "Description", "WantedBy")
"""What the user unit has of its own."""


@pytest.fixture
def runnable(installed: Path, tmp_path: Path) -> Path:
    """The installed units, with the paths that they have before they are moved out of DESTDIR."""
    for manager in ("system", "user"):
        (tmp_path / manager).mkdir()
        for unit in (installed / "usr/lib/systemd" / manager).iterdir():
            text = unit.read_text().replace("/usr/bin/digitd", f"{installed}/usr/bin/digitd")
            (tmp_path / manager / unit.name).write_text(text)
    return tmp_path


def verify(folder: Path, environment: dict[str, str], *flags: str) -> str:
    """What systemd-analyze has against the units of a folder. Its exit status says nothing: an unknown key gives 0."""
    command = ["systemd-analyze", "verify", *flags, str(folder / "digitd.service"), str(folder / "digitd.socket")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stderr


def exposure(service: Path) -> float:
    """The last line of systemd-analyze's opinion."""
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", str(service)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Overall exposure level for digitd.service: ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def test_systemd_has_nothing_against_the_units(runnable: Path, environment: dict[str, str]) -> None:
    assert verify(runnable / "system", environment) == ""
    assert verify(runnable / "user", environment, "--user") == ""


def test_systemd_has_nothing_against_the_drop_in_for_a_gpu(runnable: Path, environment: dict[str, str]) -> None:
    drop_in = runnable / "system/digitd.service.d/gpu.conf"
    drop_in.parent.mkdir()
    drop_in.write_text((UNITS / "system/gpu.conf").read_text())
    assert verify(runnable / "system", environment) == ""
    assert exposure(runnable / "system/digitd.service") <= EXPOSURE_MAX["gpu"]


@pytest.mark.parametrize("manager", ["system", "user"])
def test_a_misspelt_key_would_be_found(runnable: Path, environment: dict[str, str], manager: str) -> None:
    service = runnable / manager / "digitd.service"
    service.write_text(service.read_text().replace("LockPersonality=", "LockPersonalty="))
    assert "LockPersonalty" in verify(runnable / manager, environment, f"--{manager}")


@pytest.mark.parametrize(("manager", "service"), [("system", SYSTEM), ("user", USER)])
def test_the_sandbox_is_as_tight_as_it_was(manager: str, service: Path) -> None:
    assert exposure(service) <= EXPOSURE_MAX[manager]


def test_the_user_unit_differs_only_where_it_has_to() -> None:
    system = Unit(SYSTEM).settings
    own = [key for key, value in Unit(USER).settings if (key, value) not in system]
    assert sorted(set(own)) == sorted(TAKEN_AT_HOME)


@pytest.mark.parametrize("manager", ["system", "user"])
def test_everything_that_a_unit_names_is_installed(installed: Path, manager: str) -> None:
    for path in (installed / "usr/lib/systemd" / manager).iterdir():
        text = path.read_text()
        assert "/usr/local" not in text
        named = re.findall(r"(?<![\w/.])(?:file://)?(/(?:usr|etc)/[\w./]*\w)", text)
        assert named
        assert [name for name in named if not (installed / name[1:]).exists()] == []


def test_the_sink_of_the_service_is_its_socket(installed: Path) -> None:
    config = tomllib.loads((installed / "etc/digitd/digitd.toml").read_text())
    socket = Unit(UNITS / "system/digitd.socket")
    path = Path(socket.only("ListenStream"))
    assert config["sinks"] == [f"unix:{path}"]
    assert path.parent == Path("/run", Unit(SYSTEM).only("RuntimeDirectory"))
    assert f"d {path.parent} " in (installed / "usr/lib/tmpfiles.d/digitd.conf").read_text()
    assert (socket.only("SocketUser"), socket.only("SocketGroup")) == (Unit(SYSTEM).only("User"), "digitd")


def test_the_sink_of_the_user_unit_is_its_socket() -> None:
    path = Unit(UNITS / "user/digitd.socket").only("ListenStream")
    assert Unit(USER).only("ExecStart").endswith(f" --sink unix:{path}")


def test_the_installed_configuration_is_the_default_but_for_its_sinks(installed: Path) -> None:
    shipped = (UNITS / "digitd.toml").read_text().splitlines()
    lines = (installed / "etc/digitd/digitd.toml").read_text().splitlines()
    assert [line for line in lines if line not in shipped] == ['sinks = ["unix:/run/digitd/digitd.sock"]']
    assert len(lines) == len(shipped)
