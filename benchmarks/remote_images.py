"""Memory, disk and speed of an extraction whose images lie on an object store that takes a while to answer.

    python benchmarks/remote_images.py --images 4000 --side 512 --delay 0.05

A server of its own process speaks as much of S3 as is needed. It makes each image at the request, waits before each
answer, and is asked over the network stack of this machine. Nothing of the images is on a disk, on either side. With
``--threads``, objects are only fetched, by so many threads: what the waiting costs.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import numpy as np
import tifffile

ADDRESS = "s3://bench/images"
PAGE = 1000


def name_of(number: int) -> str:
    return f"{'AB'[number % 2]}/{number:06d}.tif"


def serve(n_images: int, side: int, delay: float) -> None:
    """Answer listings and requests of objects until the process is ended; the first line of stdout is the port."""
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((side, side), np.uint16))
    blank = file.getvalue()
    n_bytes = side * side * 2
    keys = sorted(f"images/{name_of(number)}" for number in range(n_images))
    rng = np.random.default_rng(0)
    noise = rng.bytes(2 * n_bytes)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 2**16  # head and body in one piece: otherwise the body waits 40 ms for the network's delayed answer

        def do_GET(self) -> None:
            time.sleep(delay)
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            is_listing = "list-type" in query
            self._send(listed(query, keys, len(blank)) if is_listing else self._image(url.path.removeprefix("/bench/")))

        def _image(self, key: str) -> bytes:
            start = int(key.rpartition("/")[2].partition(".")[0]) * 2 % n_bytes
            return blank[: len(blank) - n_bytes] + noise[start : start + n_bytes]

        def _send(self, content: bytes) -> None:
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            self.send_header("ETag", '"0"')
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()


def listed(query: dict[str, list[str]], keys: list[str], size: int) -> bytes:
    """One page of a listing, as S3 gives it."""
    after = query.get("continuation-token", query.get("start-after", [""]))[0]
    left = [key for key in keys if key > after]
    page, is_cut = left[:PAGE], len(left) > PAGE
    items = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size><ETag>0</ETag>"
        "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
        for key in page
    )
    token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if is_cut else ""
    truncated = str(is_cut).lower()
    return f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{token}{items}</ListBucketResult>".encode()


@contextmanager
def server(arguments: argparse.Namespace) -> Iterator[None]:
    """Run the server, and point the environment at it."""
    sizes = ["--images", str(arguments.images), "--side", str(arguments.side), "--delay", str(arguments.delay)]
    process = subprocess.Popen([sys.executable, __file__, "--serve", *sizes], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{process.stdout.readline().strip()}",
    }
    try:
        yield
    finally:
        process.kill()
        process.wait()


def memory() -> tuple[float, float]:
    """MiB of this process, and of the processes that it started to read images."""
    own, others = 0.0, 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            command = (status.parent / "cmdline").read_bytes()
        except OSError:  # ended meanwhile
            continue
        size = int(lines.get("VmRSS", "0 kB").split()[0]) / 1024
        if int(lines["Pid"]) == os.getpid():
            own = size
        elif int(lines["PPid"]) == os.getpid() and b"--serve" not in command:
            others += size
    return own, others


def on_disk(folder: Path) -> float:
    """MiB of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20


class Watch:
    """Prints memory, disk and speed while samples are extracted."""

    def __init__(self, folder: Path, bytes_per_image: int) -> None:
        self.folder, self.bytes_per_image = folder, bytes_per_image
        self.next, self.began = 0.1, time.perf_counter()

    def say(self, line: str) -> None:
        """Print a line."""
        print(f"  {line}")

    def advance(self, n_done: int, n_samples: int) -> None:
        """Print a line each time that a share of the samples is done."""
        if n_done < self.next * n_samples:
            return
        self.next += 0.3
        own, others = memory()
        fetched = n_done * self.bytes_per_image / 2**20
        speed = n_done / (time.perf_counter() - self.began)
        print(
            f"{n_done:>8,} samples  {fetched:>7,.0f} MiB fetched  {own:>6,.0f} MiB run  {others:>6,.0f} MiB readers  "
            f"{on_disk(self.folder):>6,.1f} MiB on disk  {speed:>6.1f} samples/s",
            flush=True,
        )


def run_extraction(arguments: argparse.Namespace, folder: Path) -> None:
    from cellfeat.config_sources import load_settings
    from cellfeat.extraction.extract import extract

    settings = load_settings(
        overrides={
            "images.root": ADDRESS,
            "images.layout": "folders",
            "images.channels": [0],
            "labels.file": None,
            "labels.label": None,
            "backbone.name": arguments.backbone,
            "preprocessing.input_size": 64,
            "preprocessing.crop": "none",
            "extraction.precision": "fp32",
            "extraction.output": folder / "features.h5",
            "extraction.workers": arguments.workers,
        }
    )
    extract(settings, observer=Watch(folder, arguments.side**2 * 2))


def fetch_only(arguments: argparse.Namespace) -> None:
    from cellfeat.samples.folders import objects
    from cellfeat.storage.url import Url

    names = [name_of(number) for number in range(arguments.images)]
    for n_threads in arguments.threads:
        objects.REQUESTS = n_threads
        files = objects.RemoteFiles(Url.parse(ADDRESS))

        def fetch(name: str, files: objects.RemoteFiles = files) -> int:
            with files.opened([name], 2**30) as (content,):
                return len(content)

        wanted = names[: n_threads * 20]
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(fetch, wanted[:n_threads]))  # connects
            began, cpu = time.perf_counter(), time.process_time()
            list(pool.map(fetch, wanted))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        print(
            f"{n_threads:>4} threads: {len(wanted) / seconds:>7.1f} objects/s, {1000 * cpu / len(wanted):.2f} ms of the"
            " processor an object",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--delay", type=float, default=0.05, help="Seconds before each answer.")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--workers", default="auto")
    parser.add_argument("--threads", type=int, nargs="+", help="Fetch alone, by so many threads.")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.images, arguments.side, arguments.delay)
        return
    with server(arguments), tempfile.TemporaryDirectory(prefix="cellfeat-remote-") as folder:
        os.environ["TMPDIR"] = folder  # so that temporary files count
        if arguments.threads:
            fetch_only(arguments)
        else:
            run_extraction(arguments, Path(folder))


if __name__ == "__main__":
    main()
