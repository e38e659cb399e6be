"""A listening socket that no more come in by than there are places for."""

import socket
from typing import Any

STRANGERS = 128
"""So many may be looked at, beyond those who are in."""
BACKLOG = 512
"""So many may knock at the same moment: all that were there before a restart."""


class Door(socket.socket):
    """Hangs up on those who are too many; else they would take the descriptors that others need, until none is left.

    Args:
        listener: it is taken over.
        places: of those who are in.
    """

    def __init__(self, listener: socket.socket, places: int) -> None:
        super().__init__(listener.family, listener.type, listener.proto, listener.detach())
        self._inside: set[socket.socket] = set()  # and those who have left since it was last full
        self._most = places + STRANGERS

    def accept(self) -> tuple[socket.socket, Any]:
        """Who knocks next.

        Raises:
            ConnectionAbortedError: he was one too many.
        """
        connection, address = super().accept()
        if len(self._inside) >= self._most:
            self._inside = {each for each in self._inside if each.fileno() >= 0}
        if len(self._inside) >= self._most:
            connection.close()
            raise ConnectionAbortedError
        self._inside.add(connection)
        return connection, address
