"""The list of checks, and how one says that a server is wrong."""

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

CHECKS = {}


@dataclass
class Check:
    """One behaviour: its id, what AWS does, and the function that finds out."""

    id: str
    states: str
    function: callable


@dataclass
class Verdict:
    """What a check found; without a reason, the server does as AWS does."""

    id: str
    states: str
    reason: str | None
    seconds: float


class Wrong(AssertionError):
    """The server does otherwise than AWS."""


def check(name):
    """Registers a function as the check of a behaviour; its docstring states what AWS does."""

    def register(function):
        assert name not in CHECKS, name
        CHECKS[name] = Check(name, function.__doc__.strip(), function)
        return function

    return register


def run(one, account):
    """Runs a check; whatever it raises is its failure."""
    start = time.monotonic()
    try:
        one.function(account)
        reason = None
    except Exception as error:
        reason = describe(error)
    return Verdict(one.id, one.states, reason, time.monotonic() - start)


def describe(error):
    """Returns an exception in one line, with the line of the check that it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    here = Path(__file__).parent
    own = [frame for frame in frames if Path(frame.filename).parent == here and frame.name != "run"]
    place = f" [{own[-1].line}]" if own and not isinstance(error, Wrong) else ""
    name = "" if isinstance(error, (Wrong, ClientError)) else f"{type(error).__name__}: "
    return " ".join(f"{name}{text_of(error)}{place}".split())[:300]


def text_of(error):
    return str(error).replace("An error occurred ", "").replace(" (reached max retries: 0)", "")


def demand(holds, what, found=None):
    """Fails unless something holds."""
    if not holds:
        raise Wrong(what if found is None else f"{what}: {found!r}")


def same(found, expected, what):
    """Fails unless two values are equal."""
    demand(found == expected, f"{what} is {found!r}, not {expected!r}")


def refused(codes, call, **arguments):
    """Demands that a call is refused with one of some codes (`A|B`), and returns the error."""
    name = getattr(call, "__name__", "call")
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        demand(found in codes.split("|"), f"{name} is refused with {found}, not {codes}: {text_of(error)}")
        return error
    raise Wrong(f"{name} goes through; {codes} was due")


def eventually(probe, what, patience=10.0):
    """Waits until a probe returns something true, and returns that."""
    end = time.monotonic() + patience
    while True:
        found = probe()
        if found:
            return found
        demand(time.monotonic() < end, f"{what}: not within {patience:.0f} s")
        time.sleep(0.1)


def pages(call, listed, limit=None, rest=None, given="Marker", told="NextMarker", size="Limit", **arguments):
    """Returns all entries of a paged answer, and the number of pages.

    Each page must hold no more than asked for, which is another limit for the pages after the first where `rest` is given;
    the last must have no marker.
    """
    entries, marker, count = [], None, 0
    while True:
        asked = {size: limit} if limit else {}
        answer = call(**arguments, **asked, **({given: marker} if marker else {}))
        if limit:
            demand(len(answer[listed]) <= limit, f"a page holds {len(answer[listed])} of at most {limit}")
        entries += answer[listed]
        marker, count, limit = answer.get(told), count + 1, rest or limit
        for flag in ("Truncated", "IsTruncated"):
            if flag in answer:
                same(answer[flag], bool(marker), flag)
        if not marker:
            return entries, count
        demand(count < 2000, "the pages do not end")
