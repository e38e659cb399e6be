"""Messages on their way to a broker: a bounded queue, and what was handed over and not confirmed yet."""

import threading
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """What is published."""

    topic: str
    payload: bytes
    retain: bool


class Outbox:
    """Put to from one thread, taken from on another; none of its calls but the `await_` ones wait."""

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._waiting: deque[Message] = deque()
        self._unconfirmed = 0
        self._confirmed = 0
        self._moved = threading.Condition()

    def __len__(self) -> int:
        return len(self._waiting) + self._unconfirmed

    @property
    def unconfirmed(self) -> int:
        """How many are with the broker, or on their way there."""
        return self._unconfirmed

    @property
    def confirmed(self) -> int:
        """How many the broker has ever confirmed: as long as it rises, the broker takes them."""
        return self._confirmed

    def put(self, message: Message) -> bool:
        """Queue a message; False: there is no room."""
        with self._moved:
            if len(self) >= self._most_waiting:
                return False
            self._waiting.append(message)
            return True

    def take(self) -> Message | None:
        """The next to hand over, if there is one; it counts until it is confirmed or lost."""
        with self._moved:
            if not self._waiting:
                return None
            self._unconfirmed += 1
            return self._waiting.popleft()

    def confirm(self) -> None:
        """The broker has one."""
        with self._moved:
            self._unconfirmed -= 1
            self._confirmed += 1
            self._moved.notify_all()

    def lose(self) -> int:
        """How many were handed over and will never be confirmed: they count no longer."""
        with self._moved:
            lost, self._unconfirmed = self._unconfirmed, 0
            self._moved.notify_all()
            return lost

    def await_at_most(self, count: int, for_s: float) -> bool:
        """Whether so few are left, within `for_s`."""
        with self._moved:
            return self._moved.wait_for(lambda: len(self) <= count, for_s)
