"""How the server logs: one line each, to standard error, and of an exception its kind and place, never its text.

Times are UTC, as in the audit log, whatever zone the machine is in: a clock that is set back in autumn shows an hour
twice.
"""

from __future__ import annotations

import logging
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class PlacesFormatter(logging.Formatter):
    """Shows where an exception came from; its text may quote what a client sent."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"
    _shown = (-1, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 the base class's name
        """As the base class has it; a second's text is made once for all of its lines."""
        if datefmt is not None:
            return super().formatTime(record, datefmt)
        second, shown = self._shown
        if int(record.created) != second:
            shown = time.strftime(self.default_time_format, self.converter(record.created))
            self._shown = int(record.created), shown
        return f"{shown}.{int(record.msecs):03d}Z"

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 the base class's name
        """`KeyError at api/routes/verifications.py:12 < api/app.py:30`, innermost first."""
        kind, _, trace = ei
        frames = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename).is_relative_to(ROOT)]
        places = [f"{Path(frame.filename).relative_to(ROOT)}:{frame.lineno}" for frame in reversed(frames[-4:])]
        return f"{kind.__name__ if kind else 'error'} at {' < '.join(places) or 'unknown place'}"
