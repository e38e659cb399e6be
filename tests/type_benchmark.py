"""How long a digit takes from its event to the text field: `python -m tests.type_benchmark [DIGITS]`."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from tests.daemon.desktop import Compositor, Field, Screen, Speaker, Typing, latencies_s


def measure(name: str, field: Field, environment: dict[str, str], folder: Path, n_digits: int) -> None:
    """Print a line: the figures of one display."""
    path = folder / f"{name}.sock"
    speaker = Speaker(path)
    typing = Typing(environment, path)
    typing.told()
    speaker.accept()
    p50, p99, most = np.percentile(np.array(latencies_s(field, speaker, n_digits)) * 1000, [50, 99, 100])
    print(f"{name}: {n_digits} digits, p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {most:.1f} ms")
    typing.finish()
    speaker.close()


def main(n_digits: int) -> None:
    """Measure X11 on two layouts, and Wayland."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for layout in ("us", "fr"):
            (folder / layout).mkdir()
            screen = Screen(folder / layout)
            screen.lay_out(layout)
            measure(f"xdotool, {layout}", screen.field("field"), screen.environment, folder, n_digits)
            screen.close()
        compositor = Compositor()
        measure("wtype", compositor.field, compositor.environment, folder, n_digits)
        compositor.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
