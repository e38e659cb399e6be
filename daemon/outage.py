"""How often somebody who has gone is looked for, and what is told of it: once when he goes, once when he is back."""

from dataclasses import dataclass

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True)
class Away:
    """Nobody is there to hear from; what happens meanwhile is missing afterwards."""

    why: str

    def __str__(self) -> str:
        return f"{self.why}, trying again"


@dataclass(frozen=True)
class Back:
    """Somebody is there after all."""

    again: bool
    """Whether he has been there before."""

    def __str__(self) -> str:
        return "back" if self.again else "there"


class Outage:
    """Keeps the account of one connection that is made again and again."""

    def __init__(self) -> None:
        self._pause_s = FIRST_PAUSE_S
        self._came = self._away = False
        self.waited = False
        """Whether he has ever been away."""

    def hear(self) -> Back | None:
        """Something came: what is to be told of that, if he was away."""
        back = Back(self._came) if self._away else None
        self._came, self._away, self._pause_s = True, False, FIRST_PAUSE_S
        return back

    def lose(self, why: str) -> tuple[Away | None, float]:
        """He is not there: what is to be told, if he was, and after how many seconds to look again."""
        away = None if self._away else Away(why)
        self._away = self.waited = True
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        return away, pause_s
