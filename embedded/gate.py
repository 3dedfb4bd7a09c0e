"""Entry of a gated child: load the modules at once, begin the work when the supervisor says so.

Run as `python -m embedded.gate MODULE:FUNCTION`. Importing takes the longest part of a start; so all children
import while PostgreSQL and Temporal come up, and none of them touches a server before it is there.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys


def main() -> None:
    del sys.argv[0]  # the child is the program now, and has no options
    module, _, function = sys.argv[0].partition(":")
    gc.disable()  # nothing of what a module makes is garbage, and looking for some takes a sixth of the time
    work = getattr(importlib.import_module(module), function)
    gc.freeze()
    gc.enable()
    if sys.stdin.readline() != "go\n":  # the supervisor is gone or has given up
        return
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    work()


if __name__ == "__main__":
    main()
