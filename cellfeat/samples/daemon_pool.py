"""Threads that never keep the program from ending."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import ParamSpec, TypeVar

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class DaemonPool:
    """A pool of daemon threads.

    A `concurrent.futures.ThreadPoolExecutor` waits at the end of the program for each call that has begun. A call that
    waits for an object store may take minutes, and nobody wants its result after Ctrl-C.

    Parameters
    ----------
    n_threads
        The most calls at once.
    name
        Begins the names of the threads.
    """

    def __init__(self, n_threads: int, name: str) -> None:
        self._n_threads, self._name = n_threads, name
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Call a function in a thread, as soon as one is free.

        Parameters
        ----------
        function
            The function.
        *args, **kwargs
            Its arguments.
        """
        future: Future[Result] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001, raised again where the result is asked for
                future.set_exception(error)

        self._calls.put(call)
        if len(self._threads) < self._n_threads:
            thread = threading.Thread(target=self._work, name=f"{self._name}_{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self) -> None:
        """Drop the calls that have not begun, and let each thread end after its own; returns at once."""
        try:
            while True:
                self._calls.get_nowait()
        except Empty:
            pass
        for _ in self._threads:
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # what it returned must not live until the next one
