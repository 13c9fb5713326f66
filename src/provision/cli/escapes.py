"""What a person types for us and not for the host: `~.` at the beginning of a line, as in ssh."""

from __future__ import annotations

from dataclasses import dataclass

ESCAPE = ord("~")
LINE_ENDS = b"\r\n"
HELP = """\
At the beginning of a line:
  ~.   end this session, also where the host does not answer
  ~~   type one ~
  ~?   this list
"""


@dataclass(slots=True)
class Typed:
    """What came of some keys."""

    data: bytes
    """For the host."""
    leave: bool = False
    """The session is to end; what was typed after that is nobody's."""
    asks: bool = False
    """The list of escapes is asked for."""


class Escapes:
    """Takes the escapes out of what is typed, over however many pieces they come."""

    def __init__(self) -> None:
        self._line_begins = True
        self._escaped = False

    def read(self, piece: bytes) -> Typed:
        """Return what to do with these keys."""
        if not self._escaped and ESCAPE not in piece:
            self._line_begins = piece[-1] in LINE_ENDS if piece else self._line_begins
            return Typed(piece)
        out, asks = bytearray(), False
        for key in piece:
            if self._escaped:
                self._escaped = False
                if key == ord("."):
                    return Typed(bytes(out), leave=True, asks=asks)
                if key == ord("?"):
                    asks = True
                    self._line_begins = True
                    continue
                if key != ESCAPE:
                    out.append(ESCAPE)
            elif key == ESCAPE and self._line_begins:
                self._escaped = True
                continue
            out.append(key)
            self._line_begins = key in LINE_ENDS
        return Typed(bytes(out), asks=asks)
