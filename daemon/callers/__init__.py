"""Streams that come over a socket: who calls, whether there is room, what he is told."""
