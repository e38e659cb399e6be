"""What a subcommand is made of; the trainer's and exporter's have the same form."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One subcommand of `digitd`."""

    add_arguments: Callable[[argparse.ArgumentParser], None]
    execute: Callable[[argparse.Namespace], int]
    """Returns the exit status; a DigitdError becomes one line and exit status 2."""
