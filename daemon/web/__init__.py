"""A page of this machine: what a daemon hears, live, and a browser's microphone as a source."""
