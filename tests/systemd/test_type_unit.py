"""The unit of `digitd type` is valid, as locked up as the daemon's own at home, and begins paused."""

import re
import subprocess
from pathlib import Path

from tests.conftest import ROOT
from tests.systemd.unit import Unit

UNIT, DAEMON = ROOT / "systemd/user/digitd-type.service", ROOT / "systemd/user/digitd.service"
EXPOSURE_MAX = 5.9


def test_systemd_has_nothing_against_it(tmp_path: Path, environment: dict[str, str]) -> None:
    program, unit = tmp_path / "digitd", tmp_path / UNIT.name
    program.touch(0o755)
    text = UNIT.read_text().replace("/usr/local/bin/digitd", str(program))
    unit.write_text(text.replace("/usr/local/share/doc/digitd/README.md", str(ROOT / "README.md")))
    command = ["systemd-analyze", "verify", "--user", str(unit)]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stderr == ""


def test_it_is_locked_up() -> None:
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Overall exposure level for digitd-type.service: ([\d.]+)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) <= EXPOSURE_MAX


def test_it_begins_paused_at_the_socket_of_the_daemon() -> None:
    path = Unit(DAEMON.with_name("digitd.socket")).only("ListenStream")
    assert Unit(UNIT).only("ExecStart").endswith(f"digitd type --paused {path}")
