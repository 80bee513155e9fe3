"""The steps of building the demo: each timed, and shown while it runs: bars on a terminal, a line each elsewhere, nothing where a program reads."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from mains.base.terminal import note


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step that was taken, and the seconds it took by the wall's clock; steps overlap."""

    name: str
    seconds: float


@dataclass(slots=True, kw_only=True)
class Steps:
    """What was done so far; use it as a context so that bars end with it."""

    is_quiet: bool = False
    taken: list[Step] = field(default_factory=list)
    _bars: Any = None

    def __enter__(self) -> Self:
        if not self.is_quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description:<28}"), BarColumn(bar_width=32), TimeElapsedColumn())
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    @contextmanager
    def step(self, name: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Take a step; what it gives is told how much of `total` is done."""
        began = time.monotonic()
        bar = self._bars.add_task(name, total=total) if self._bars else None

        def done(amount: int) -> None:
            if self._bars:
                self._bars.update(bar, completed=amount)

        yield done
        seconds = round(time.monotonic() - began, 1)
        self.taken.append(Step(name=name, seconds=seconds))
        if self._bars:
            self._bars.update(bar, total=total or 1, completed=total or 1)
        elif not self.is_quiet:
            note(f"{name}: {seconds:.1f} s")
