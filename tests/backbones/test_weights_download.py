"""Downloads of weights: from a server that fails in various ways, and from the cache."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torchvision import models
from torchvision.models import SqueezeNet1_1_Weights

from cellfeat.backbones import weights as weights_module
from cellfeat.backbones.registry import load_backbone
from cellfeat.backbones.weights import (
    fetch,
    named_digest,
)
from cellfeat.errors import WeightsError
from cellfeat.provenance import digest_file


class _Server(ThreadingHTTPServer):
    """Serves `content` to every request, in the way that `mode` says."""

    daemon_threads = True
    content = b""
    mode = "well"
    n_requests = 0


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self):
        self.server.n_requests += 1
        if self.server.mode == "missing":
            self.send_error(404)
            return
        self.send_response(200)
        claimed = {"claims more": 10**6, "claims less": -1000}.get(self.server.mode, 0) + len(self.server.content)
        if self.server.mode != "claims nothing":
            self.send_header("Content-Length", "-5" if self.server.mode == "claims nonsense" else str(claimed))
        self.end_headers()
        if self.server.mode == "silent":
            time.sleep(2)
        half = len(self.server.content) // 2
        wrong = bytes(len(self.server.content))
        one_bit = self.server.content[:half] + bytes([self.server.content[half] ^ 1]) + self.server.content[half + 1 :]
        sent = {"cut off": self.server.content[:half], "wrong bytes": wrong, "one bit": one_bit}
        sent["error page"] = b"<h1>502 Bad Gateway</h1>".ljust(len(wrong))
        self.wfile.write(sent.get(self.server.mode, self.server.content))

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with _Server(("127.0.0.1", 0), _Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def checkpoints(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def squeezenet_url(server, checkpoints, tmp_path):
    """SqueezeNet's record points to the server, which serves a state dict under a name with its digest."""
    saved = tmp_path / "served.pth"
    torch.save(models.squeezenet1_1(weights=None).state_dict(), saved)
    server.content = saved.read_bytes()
    digest = digest_file(saved).removeprefix("sha256:")
    record = SqueezeNet1_1_Weights.IMAGENET1K_V1.value
    original = record.url
    url = f"http://127.0.0.1:{server.server_port}/squeezenet1_1-{digest[:8]}.pth"
    object.__setattr__(record, "url", url)
    yield url
    object.__setattr__(record, "url", original)


def test_weights_are_downloaded_once(server, squeezenet_url, checkpoints):
    first, second = load_backbone("squeezenet1_1"), load_backbone("squeezenet1_1", weights="IMAGENET1K_V1")
    assert server.n_requests == 1
    assert first.weights_name == second.weights_name == "IMAGENET1K_V1"
    assert first.weights_digest == second.weights_digest
    assert [path.name for path in checkpoints.iterdir()] == [squeezenet_url.rsplit("/", 1)[-1]]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("missing", "404"),
        ("cut off", "damaged"),
        ("wrong bytes", "damaged"),
        ("silent", "timed out"),
        ("claims less", "damaged"),
        ("error page", "damaged"),
        ("one bit", "damaged"),
    ],
)
def test_failed_download_gives_advice_and_leaves_no_file(
    server, squeezenet_url, checkpoints, monkeypatch, mode, reason
):
    monkeypatch.setattr(weights_module, "SILENCE_SECONDS", 0.3)
    server.mode = mode
    with pytest.raises(WeightsError, match=reason) as error:
        load_backbone("squeezenet1_1")
    name = squeezenet_url.rsplit("/", 1)[-1]
    for part in (squeezenet_url, name, str(checkpoints), named_digest(name), "--weights FILE", "efficientnet_lite0"):
        assert part in str(error.value)
    assert list(checkpoints.iterdir()) == []
    server.mode = "well"
    assert load_backbone("squeezenet1_1").embedding_dim == 512, "the next try succeeds"


@pytest.mark.parametrize("mode", ["claims nothing", "claims nonsense", "claims more"])
def test_download_is_checked_by_its_bytes(server, squeezenet_url, mode):
    server.mode = mode
    assert load_backbone("squeezenet1_1").embedding_dim == 512


def test_missing_network_is_reported(server, squeezenet_url):
    server.shutdown()
    server.server_close()
    with pytest.raises(WeightsError, match=r"cannot be downloaded .*refused.*--weights FILE"):
        load_backbone("squeezenet1_1")


def test_folder_that_cannot_be_created_is_named(squeezenet_url, checkpoints):
    checkpoints.parent.parent.write_bytes(b"a file where the cache should be")
    with pytest.raises(WeightsError, match="cannot be downloaded"):
        load_backbone("squeezenet1_1")


def test_damaged_file_in_the_cache_is_refused(server, squeezenet_url, checkpoints):
    path = fetch(squeezenet_url)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"squeezenet1_1-.*expected a sha256.*move this file elsewhere"):
        load_backbone("squeezenet1_1")
    assert server.n_requests == 1


def test_file_in_the_cache_needs_no_network(server, squeezenet_url, checkpoints):
    server.mode = "missing"
    checkpoints.mkdir(parents=True)
    (checkpoints / squeezenet_url.rsplit("/", 1)[-1]).write_bytes(server.content)
    assert load_backbone("squeezenet1_1").weights_name == "IMAGENET1K_V1"
    assert server.n_requests == 0


def test_file_named_like_published_weights_must_match_them(server, squeezenet_url, tmp_path):
    path = tmp_path / squeezenet_url.rsplit("/", 1)[-1]
    path.write_bytes(server.content)
    assert load_backbone("squeezenet1_1", weights=str(path)).weights_name == "IMAGENET1K_V1"
    torch.save(models.squeezenet1_1(weights=None).state_dict(), path)
    with pytest.raises(WeightsError, match="another file under this name"):
        load_backbone("squeezenet1_1", weights=str(path))
