"""Hear what a digitd daemon hears, from a program: `from digitd.client import events`. See docs/client.md."""

from digitd.daemon.client.aevents import aevents
from digitd.daemon.client.call import arecognise, recognise
from digitd.daemon.client.events import Events, events
from digitd.daemon.client.news import News, Unknown
from digitd.daemon.client.request import ready, switch
from digitd.daemon.errors import ConfigError, DigitdError, SinkError
from digitd.daemon.events import Alternative, Digit, End, Event, Ready, Rejected, SourceState, String
from digitd.daemon.ledger import Anew, Missed
from digitd.daemon.outage import Away, Back

__all__ = [
    "Alternative",
    "Anew",
    "Away",
    "Back",
    "ConfigError",
    "Digit",
    "DigitdError",
    "End",
    "Event",
    "Events",
    "Missed",
    "News",
    "Ready",
    "Rejected",
    "SinkError",
    "SourceState",
    "String",
    "Unknown",
    "aevents",
    "arecognise",
    "events",
    "ready",
    "recognise",
    "switch",
]
