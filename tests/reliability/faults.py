"""The command line, killed at a chosen point: `python -m tests.reliability.faults "<fault>" <arguments>`.

A fault is `<before|after> <module>:<function> [<text>]`: at the first call of the function with the text in
one of its arguments, before it or after it returned, the process ends at once, as by `kill -9`.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from typing import Any


def arm(fault: str) -> None:
    """Replace the named function by one that has the fault."""
    when, place, *text = fault.split()
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original = getattr(owner, name)

    @functools.wraps(original)
    def faulty(*arguments: Any, **options: Any) -> Any:
        hit = all(any(one in str(a) for a in (*arguments, *options.values())) for one in text)
        if hit and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **options)
        if hit:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, faulty)


if __name__ == "__main__":
    arm(sys.argv.pop(1))
    from ratehouse.cli import main

    main()
