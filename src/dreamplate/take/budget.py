"""A budget of processor time: how much of it is spent, and how much must be kept for the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dreamplate.take.machine import cpu_seconds

__all__ = ["Budget"]

SHARE = 0.01
"""Part of the budget kept for what nobody foresees."""
TRUST = ((0.3, 0.15), (0.6, 0.3), (1.0, 0.6))
"""Until this much of the fit is done, at most this share of the budget is kept for the end."""


class Budget:
    """Counts processor seconds, user and system, of all threads of this process and of earlier ones.

    Args:
        total: Seconds for everything; None counts without a limit.
        began: Reading of ``cpu_seconds`` at which counting begins; now when None, 0 to count all that this
            process has spent since it was started.
    """

    def __init__(self, total: float | None, began: float | None = None) -> None:
        self.total = total
        self.began = cpu_seconds() if began is None else began
        self.earlier = 0.0
        self.started: float | None = None
        self.reserve = 0.0
        self.reached = 0.0

    @property
    def spent(self) -> float:
        """Seconds spent so far, runs before this one included."""
        return self.earlier + cpu_seconds() - self.began

    def start(self) -> None:
        """Mark where learning itself begins, after everything that is done once."""
        if self.started is None:
            self.started = self.spent

    def keep(self, seconds: float) -> None:
        """Set what is kept for the end.

        Early on a field is fog, which takes longer to draw than what it will become: an estimate counts in
        full only late in the fit.
        """
        if self.total is not None:
            most = next(share for until, share in TRUST if self.reached <= until)
            seconds = min(seconds, most * self.total)
        self.reserve = seconds

    @property
    def progress(self) -> float:
        """Share of the time for learning that is used, 0-1; it never falls."""
        if self.total is None or self.started is None:
            return 0.0
        whole = self.total * (1 - SHARE) - self.reserve - self.started
        share = 1.0 if whole <= 0 else (self.spent - self.started) / whole
        self.reached = min(1.0, max(self.reached, share))
        return self.reached

    def state_dict(self) -> dict[str, Any]:
        """Return the count."""
        started = -1.0 if self.started is None else self.started
        return {"spent": self.spent, "started": started, "reserve": self.reserve, "reached": self.reached}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on counting from what ``state_dict`` returned."""
        self.earlier, self.reserve = float(state["spent"]), float(state["reserve"])
        self.reached = float(state["reached"])
        self.started = None if state["started"] < 0 else float(state["started"])
