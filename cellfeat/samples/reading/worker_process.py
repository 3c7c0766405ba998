"""A process that reads samples: `Worker` in the calling process, `serve` in the reading process.

A request is a line of JSON, then the bytes of files that were fetched from an object store. The reply is a line of
JSON, then the raw bytes of the pixels. The process is started with
``python -c``. It is not forked, because the calling process has threads and torch. It is not started by
multiprocessing, which would run the caller's script again.
"""

import json
import mmap
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BufferedReader, BufferedWriter
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from typing import Any, Protocol, cast

import numpy as np

from cellfeat.errors import ImageError, MissingFileError, WorkerError
from cellfeat.samples.image_file.properties import FileProperties
from cellfeat.samples.reading.fields import FieldJob
from cellfeat.samples.reading.images import Outcome, SampleImage, SampleReader
from cellfeat.storage.url import Location

SECONDS_TO_START = 120.0
SECONDS_TO_END = 2.0
TICK = 1.0
"""Seconds. Waiting is counted in ticks, so that time in which the whole job was suspended does not count."""
REPLY_BYTES = 2**16
"""Size of the write buffer for replies."""
NOTE_BYTES = 4096
"""Size of the notes of a process: the number of the file it is reading. They precede its stderr in the same file."""
READY = b"ready\n"
_ERRORS: dict[str, type[ImageError | MissingFileError]] = {
    "ImageError": ImageError,
    "MissingFileError": MissingFileError,
}
# Signals that a user or the system sends. A crash in a decoder has others, such as SIGSEGV and SIGABRT.
_FROM_OUTSIDE = frozenset(
    getattr(signal, name) for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)


class KilledError(ImageError):
    """The system or a user killed the process while it read a sample (often: out of memory)."""


class Job(Protocol):
    """What a process is asked to read: one sample (`SampleReader.only`), or samples of one field (`FieldJob`)."""

    @property
    def paths(self) -> list[Location]:
        """The files, in the order in which they are opened."""
        ...

    @property
    def contents(self) -> tuple[bytes, ...]:
        """The bytes of these files; empty where they are read from the disk."""
        ...

    def request(self) -> dict[str, Any]:
        """The job as JSON values."""
        ...

    def read_all(self, *, on_file: Callable[[Location], None] = ...) -> list[Outcome]:
        """Read every sample."""
        ...


class Worker:
    """One reading process, and a thread that receives its replies.

    A process that hangs in the kernel cannot be killed. Its thread then waits forever, but it is a daemon thread, so
    the program can still end.
    """

    def __init__(self) -> None:
        self._notes = TemporaryFile()  # noqa: SIM115, it lives as long as the process
        # Space for the notes, which the process maps into its memory; its stderr starts behind it.
        self._notes.write(bytes(NOTE_BYTES))
        self._notes.flush()
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._notes,
            env=_environment(),
            # A terminal sends Ctrl-C to all processes of its foreground group. In a group of their own the reading
            # processes do not receive it; the calling process ends them.
            process_group=None if os.name == "nt" else 0,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._replies: SimpleQueue[list[Outcome] | None] = SimpleQueue()
        self._is_ready = threading.Event()
        threading.Thread(target=self._listen, name="listen", daemon=True).start()

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def read(self, job: Job, seconds: float) -> list[Outcome]:
        """Read the samples of a job in the process.

        Parameters
        ----------
        job
            What to read.
        seconds
            How long the process may take.

        Raises
        ------
        KilledError
            If the process was killed from outside.
        ImageError
            If the process crashed, or did not answer in time.
        WorkerError
            If the process could not be started.
        """
        self._wait_until_ready()
        pipe = cast(BufferedWriter, self._process.stdin)
        with suppress(OSError):  # a dead process is reported below
            for piece in _request(job):
                pipe.write(piece)
            pipe.flush()
        try:
            reply = _next(self._replies, seconds)
        except Empty:
            raise ImageError(
                f"{self._file_in_hand(job)}: was not read within {seconds:g} s: its disk does not answer, or it "
                f"takes longer; if so, allow more with --image-timeout"
            ) from None
        if reply is None:
            raise self._death(job)
        return reply

    def kill(self) -> None:
        """Kill the process, even while it reads."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # a process that hangs in the kernel ends when the kernel returns
            self._process.wait(SECONDS_TO_END)

    def _wait_until_ready(self) -> None:
        for _ in range(round(SECONDS_TO_START / TICK)):
            if self._is_ready.wait(TICK):
                return
            if self.has_ended:
                break
        raise WorkerError(
            f"a process that reads images could not be started: it {self._end()}; {sys.executable} must be able to "
            f"import cellfeat"
        )

    def _listen(self) -> None:
        """Put the replies into the queue, and None after the last one."""
        with cast(BufferedReader, self._process.stdout) as pipe:
            if pipe.readline() == READY:
                self._is_ready.set()
                while (reply := _received(pipe)) is not None:
                    self._replies.put(reply)
        self._replies.put(None)

    def _death(self, job: Job) -> ImageError:
        message = f"{self._file_in_hand(job)}: the process that read it {self._end()}; repair the file, or leave it out"
        is_from_outside = -(self._process.returncode or 0) in _FROM_OUTSIDE
        return KilledError(message) if is_from_outside else ImageError(message)

    def _end(self) -> str:
        """How the process ended, in words."""
        try:
            code = self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            return "does not answer"
        said = self._noted()[NOTE_BYTES:].decode(errors="replace").split("\n")
        last_words = next((f": {line[:200]}" for line in reversed(said) if line.strip()), "")
        return (f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}") + last_words

    def _file_in_hand(self, job: Job) -> Location:
        return job.paths[min(self._noted()[0], len(job.paths) - 1)]

    def _noted(self) -> bytes:
        # The process shares this file position: reading to the end leaves it where stderr continues.
        self._notes.seek(0)
        return self._notes.read()


def _request(job: Job) -> Iterator[bytes]:
    told = {"kind": type(job).__name__, "job": job.request(), "sizes": [len(content) for content in job.contents]}
    yield json.dumps(told).encode() + b"\n"
    yield from job.contents


def _received(pipe: BufferedReader) -> list[Outcome] | None:
    """Read the next reply; None if the process ended before or while sending it."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        return None
    outcomes = []
    for told in json.loads(line):
        outcome = _received_outcome(told, pipe)
        if outcome is None:
            return None
        outcomes.append(outcome)
    return outcomes


def _received_outcome(told: dict[str, Any], pipe: BufferedReader) -> Outcome | None:
    if "error" in told:
        return _ERRORS[told["error"]](told["reason"])
    pixels = np.empty(told["shape"], told["dtype"])
    if pipe.readinto(pixels.data.cast("B")) != pixels.nbytes:
        return None
    properties = FileProperties(**told["properties"])
    notes = told["pixel_size"], told["orientation"]
    return SampleImage(pixels, properties, tuple(told["bits"]), tuple(told["plane_names"]), *notes)


def _next(replies: "SimpleQueue[list[Outcome] | None]", seconds: float) -> list[Outcome] | None:
    whole, rest = divmod(seconds, TICK)
    for _ in range(int(whole)):
        with suppress(Empty):
            return replies.get(timeout=TICK)
    return replies.get(timeout=rest)


def _environment() -> dict[str, str]:
    """The environment of a reading process: the same module path, and one thread, because processes are parallel."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    # `python -c` looks for modules in the current folder first, unless PYTHONSAFEPATH is set.
    return {**os.environ, **one_thread, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}


def serve() -> None:
    """Read samples for the calling process until it closes the pipe or ends."""
    for name in ("SIGINT", "SIGTERM"):  # schedulers signal every process; the calling process ends this one
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=REPLY_BYTES)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # output of a decoder must not mix with replies
    # Mapped rather than written: a note survives a crash, and the position of stderr does not move.
    notes = mmap.mmap(sys.stderr.fileno(), NOTE_BYTES)
    replies.write(READY)
    replies.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        outcomes = _answer(request, tuple(sys.stdin.buffer.read(size) for size in request["sizes"]), notes)
        replies.write(json.dumps(list(map(_told, outcomes))).encode() + b"\n")
        for outcome in outcomes:
            if isinstance(outcome, SampleImage):
                replies.write(np.ascontiguousarray(outcome.pixels).data.cast("B"))
        replies.flush()


_JOBS: dict[str, Callable[[dict[str, Any], tuple[bytes, ...]], Job]] = {
    "SampleReader": SampleReader.from_request,
    "FieldJob": FieldJob.from_request,
}


def _answer(request: dict[str, Any], contents: tuple[bytes, ...], notes: mmap.mmap) -> list[Outcome]:
    """Read samples, and note the number of each file before reading it, because reading may crash this process."""
    job = _JOBS[request["kind"]](request["job"], contents)
    numbers = iter(range(len(job.paths)))

    def note(_: Location) -> None:
        # A note is one byte.
        notes[0] = min(next(numbers), 255)

    try:
        return job.read_all(on_file=note)
    finally:
        notes[0] = 0  # otherwise an early crash on the next sample would be blamed on its last file


def _told(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON values, without its pixels."""
    if not isinstance(outcome, SampleImage):
        return {"error": type(outcome).__name__, "reason": str(outcome)}
    told = {
        "properties": outcome.properties._asdict(),
        "bits": outcome.bits,
        "plane_names": outcome.plane_names,
        "pixel_size": outcome.pixel_size,
        "orientation": outcome.orientation,
    }
    return {"dtype": outcome.pixels.dtype.str, "shape": outcome.pixels.shape, **told}
