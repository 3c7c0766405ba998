"""A process that reads samples: `Worker` in the calling process, `serve` in the reading process.

A request is a line of JSON; the reply is a line of JSON, then the raw bytes of the pixels. The process is started with
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
from contextlib import suppress
from io import BufferedReader, BufferedWriter
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from typing import Any, NamedTuple, cast

import numpy as np

from cellfeat.errors import CellfeatError, ImageError, MissingFileError, WorkerError
from cellfeat.samples.formats.planes import PlaneChoice
from cellfeat.samples.images import SampleImage, SampleReader
from cellfeat.samples.properties import FileProperties

SECONDS_TO_START = 120.0
SECONDS_TO_END = 2.0
TICK = 1.0
"""Seconds. Waiting is counted in ticks, so that time in which the whole job was suspended does not count."""
REPLY_BYTES = 2**16
"""Size of the write buffer for replies."""
NOTE_BYTES = 4096
"""Size of the notes of a process: the number of the file it is reading. They precede its stderr in the same file."""
READY = b"ready\n"
_ERRORS: dict[str, type[CellfeatError]] = {"ImageError": ImageError, "MissingFileError": MissingFileError}
# Signals that a user or the system sends. A crash in a decoder has others, such as SIGSEGV and SIGABRT.
_FROM_OUTSIDE = frozenset(
    getattr(signal, name) for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)


class KilledError(ImageError):
    """The system or a user killed the process while it read a sample (often: out of memory)."""


class Reply(NamedTuple):
    """The sample, or the error raised while reading it."""

    sample: SampleImage | None
    error: CellfeatError | None = None


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
        self._replies: SimpleQueue[Reply | None] = SimpleQueue()
        self._is_ready = threading.Event()
        threading.Thread(target=self._listen, name="listen", daemon=True).start()

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def read(self, sample: SampleReader, seconds: float) -> Reply:
        """Read a sample in the process.

        Parameters
        ----------
        sample
            A reader of one sample.
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
            pipe.write(_request(sample))
            pipe.flush()
        try:
            reply = _next(self._replies, seconds)
        except Empty:
            raise ImageError(
                f"{self._file_in_hand(sample)}: was not read within {seconds:g} s: its disk does not answer, or it "
                f"takes longer; if so, allow more with --image-timeout"
            ) from None
        if reply is None:
            raise self._death(sample)
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

    def _death(self, sample: SampleReader) -> ImageError:
        message = (
            f"{self._file_in_hand(sample)}: the process that read it {self._end()}; repair the file, or leave it out"
        )
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

    def _file_in_hand(self, sample: SampleReader) -> Path:
        names = sample.files[0]
        return sample.root / names[min(self._noted()[0], len(names) - 1)]

    def _noted(self) -> bytes:
        # The process shares this file position: reading to the end leaves it where stderr continues.
        self._notes.seek(0)
        return self._notes.read()


def _request(sample: SampleReader) -> bytes:
    return json.dumps({**vars(sample), "root": str(sample.root)}).encode() + b"\n"


def _received(pipe: BufferedReader) -> Reply | None:
    """Read the next reply; None if the process ended before or while sending it."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        return None
    told = json.loads(line)
    if "error" in told:
        return Reply(None, _ERRORS[told["error"]](told["reason"]))
    pixels = np.empty(told["shape"], told["dtype"])
    if pipe.readinto(pixels.data.cast("B")) != pixels.nbytes:
        return None
    return Reply(SampleImage(pixels, FileProperties(**told["properties"]), tuple(told["bits"])))


def _next(replies: "SimpleQueue[Reply | None]", seconds: float) -> Reply | None:
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
        told, pixels = _answer(json.loads(line), notes)
        replies.write(json.dumps(told).encode() + b"\n")
        replies.write(pixels.data.cast("B"))
        replies.flush()


def _answer(request: dict[str, Any], notes: mmap.mmap) -> tuple[dict[str, Any], np.ndarray]:
    """Read a sample, and note the number of each file before reading it, because reading may crash this process."""
    files, channels = request["files"], tuple(request["channels"])
    values = {
        "root": Path(request["root"]),
        "files": files,
        "channels": channels,
        "plane": PlaneChoice(*request["plane"]),
    }
    reader = SampleReader(**{**request, **values})
    numbers = iter(range(len(files[0])))

    def note(_: Path) -> None:
        # A note is one byte.
        notes[0] = min(next(numbers), 255)

    try:
        sample = reader.read_sample(0, on_file=note)
    except (ImageError, MissingFileError) as error:
        return {"error": type(error).__name__, "reason": str(error)}, np.empty(0)
    finally:
        notes[0] = 0  # otherwise an early crash on the next sample would be blamed on its last file
    pixels = np.ascontiguousarray(sample.pixels)
    reply = {"properties": sample.properties._asdict(), "bits": sample.bits}
    return {"dtype": pixels.dtype.str, "shape": pixels.shape, **reply}, pixels
