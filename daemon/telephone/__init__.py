"""Calls of a telephone system: their samples go to the daemon's audio socket, digits come out like keys pressed."""
