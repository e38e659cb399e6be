"""Spoken digits, live: a daemon, its trainer, its exporter and its models."""

__version__ = "0.1.0"
