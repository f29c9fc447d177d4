"""Ctrl-C as a wish: the job ends after its current step and keeps what is finished."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType, TracebackType
from typing import Any, Self

ASKED_FOR = (signal.SIGINT, signal.SIGTERM)
SIGNALS = (*ASKED_FOR, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
NOTICE = b"\nstopping after this step (once more: stop at once)\n"


class Interrupts:
    """Inside the block the first Ctrl-C, SIGTERM, or SIGHUP of a closed terminal (not under nohup) sets ``asked``.

    The second raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __call__(self) -> bool:
        return self.asked

    def __enter__(self) -> Self:
        for number in SIGNALS:
            under_nohup = number not in ASKED_FOR and signal.getsignal(number) is signal.SIG_IGN
            if not under_nohup:
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        with contextlib.suppress(OSError):  # the terminal may be gone
            os.write(2, NOTICE)  # print may not be entered a second time from a signal handler
