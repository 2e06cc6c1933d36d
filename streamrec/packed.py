"""What reading MessagePack from elsewhere may raise: readers turn all of it into one error of their own."""

from typing import Final

import msgspec

# msgspec has no error of its own for a text that is not UTF-8, and for what is nested deeper than the stack.
DAMAGED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
