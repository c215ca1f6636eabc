"""Stopping politely: the first Ctrl-C, SIGTERM or hang-up asks, a second Ctrl-C insists."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""The signals that end a run after its current step."""


class Stop:
    """A wish to stop, set by a signal or by ``request``."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self.signal: int | None = None
        self._notice = notice

    def request(self, number: int) -> None:
        """Ask to stop, as if signal ``number`` had come."""
        if self.signal is None:
            self.signal = number
            again = "; press Ctrl-C again to stop at once" if number == signal.SIGINT else ""
            # This may run in the middle of anything: a terminal that is gone must not break that.
            with suppress(OSError, ValueError):
                self._notice(f"stopping after this step{again}")

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Serve as a signal handler."""
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.request(number)


@contextmanager
def stop_on_signals(notice: Callable[[str], None], numbers: Iterable[int] = STOP_SIGNALS) -> Iterator[Stop]:
    """Yield a ``Stop`` that the signals set while the block runs; then the old handlers are back.

    Only the main thread of a process can receive signals; elsewhere the ``Stop`` is set by ``request`` only.
    Signals that the process ignores (as under ``nohup``) stay ignored.

    Args:
        notice: Called once with a sentence for the user when the first signal comes.
        numbers: Which signals to take.
    """
    stop = Stop(notice)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    old = {number: signal.signal(number, stop.handle) for number in heeded}
    try:
        yield stop
    finally:
        for number, handler in old.items():
            # None stands for a handler that was not installed from Python and cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
