"""Try a request to an object store again, tell the user, and give up in a limited time."""

import logging
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cellfeat.errors import ConfigError
from cellfeat.storage.failures import CutShortError, Failure

TIMEOUT = "CELLFEAT_STORAGE_TIMEOUT"
"""Environment variable: seconds that a request waits without receiving anything."""
DEFAULT_TIMEOUT = 30.0
_LOG = logging.getLogger(__name__)
_TRIES_TO_CONNECT = 3
"""Fewer than for other failures, until a server has answered once: its name is probably wrong."""

Result = TypeVar("Result")


class FailedRequestError(Exception):
    """A request that failed for good."""

    def __init__(self, failure: Failure, tries: int) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.tries = tries


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long a request is tried.

    Attributes
    ----------
    tries
        The most tries of one request.
    seconds
        No further try begins after this time.
    first_wait, longest_wait
        Seconds before the second try, and the most between two tries: each wait is about twice that before it.
    """

    tries: int = 8
    seconds: float = 180.0
    first_wait: float = 0.5
    longest_wait: float = 20.0

    def wait(self, n_tries: int) -> float:
        """Draw the wait after a number of tries; drawn, so that many machines do not come back at the same moment."""
        return min(self.longest_wait, self.first_wait * 2 ** (n_tries - 1)) * random.uniform(0.5, 1.0)


@dataclass
class Retries:
    """Runs requests to one server, again where a failure may pass.

    Attributes
    ----------
    policy
        How often and how long.
    was_reached
        Whether the server has answered anything yet.
    """

    policy: RetryPolicy
    was_reached: bool = False

    def run(self, what: str, request: Callable[[], Result]) -> Result:
        """Run a request until it succeeds, fails for good, or the policy ends; each further try is logged as a warning.

        Parameters
        ----------
        what
            The address, for the warnings.
        request
            Makes the request; it may run several times.

        Raises
        ------
        FailedRequestError
            If it fails for good.
        """
        began, n_tries = time.monotonic(), 0
        while True:
            n_tries += 1
            try:
                result = request()
            except library_errors() as error:
                failure = Failure.of(error)
            else:
                self.was_reached = True
                return result
            self.was_reached |= failure.status is not None
            limit = self._limit(failure)
            wait = self.policy.wait(n_tries)
            if n_tries >= limit or time.monotonic() + wait - began > self.policy.seconds:
                # Without the library's error as its cause: a traceback would print what that holds of a request.
                raise FailedRequestError(failure, n_tries) from None
            _LOG.warning("%s: %s; trying again in %.1f s (%d of %d)", what, failure, wait, n_tries + 1, limit)
            time.sleep(wait)

    def _limit(self, failure: Failure) -> int:
        if not failure.may_pass:
            return 1
        if failure.kind == "unreachable" and not self.was_reached:
            return min(_TRIES_TO_CONNECT, self.policy.tries)
        return self.policy.tries


def library_errors() -> tuple[type[Exception], ...]:
    """What the library raises: errors of its own and some of Python's."""
    from obstore.exceptions import BaseError

    return (BaseError, FileNotFoundError, CutShortError, NotImplementedError, ValueError)


def request_timeout() -> float:
    """Seconds that a request waits without receiving anything.

    Raises
    ------
    ConfigError
        If the environment variable is no positive number.
    """
    text = os.environ.get(TIMEOUT, "")
    try:
        seconds = float(text) if text.strip() else DEFAULT_TIMEOUT
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise ConfigError(f"the environment variable {TIMEOUT} is {text!r}; expected seconds, such as 60")
    return seconds
