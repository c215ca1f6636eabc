"""Stopping politely: the first Ctrl-C, SIGTERM or hang-up asks, a second Ctrl-C insists."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""The signals that end a run after its current step."""


class Stop:
    """A wish to stop, set by a signal.

    Attributes:
        signal: Which signal came first; ``None`` so far.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        # A handler runs in the middle of anything, also of a write to the terminal, where writing again
        # is an error. SimpleQueue.put is safe there; a thread does the talking.
        self._notices: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Serve as a signal handler."""
        if self.signal is None:
            self.signal = number
            again = "; press Ctrl-C again to stop at once" if number == signal.SIGINT else ""
            self._notices.put(f"stopping after this step{again}")
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    @contextmanager
    def telling(self, notice: Callable[[str], None]) -> Iterator[None]:
        """Pass notices on while the block runs."""

        def talk() -> None:
            while (text := self._notices.get()) is not None:
                # A terminal that is gone is no reason to do anything else.
                with suppress(OSError, ValueError):
                    notice(text)

        thread = threading.Thread(target=talk, name="notices", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._notices.put(None)
            thread.join()


@contextmanager
def stop_on_signals(notice: Callable[[str], None], numbers: Iterable[int] = STOP_SIGNALS) -> Iterator[Stop]:
    """Yield a ``Stop`` that the signals set while the block runs; then the old handlers are back.

    Only the main thread of a process can receive signals; elsewhere the ``Stop`` stays unset. Signals that
    the process ignores (as under ``nohup``) stay ignored.

    Args:
        notice: Called once, from another thread, with a sentence for the user when the first signal comes.
        numbers: Which signals to take.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    with stop.telling(notice):
        old = {number: signal.signal(number, stop.handle) for number in heeded}
        try:
            yield stop
        finally:
            for number, handler in old.items():
                # None stands for a handler that was not installed from Python and cannot be put back.
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
