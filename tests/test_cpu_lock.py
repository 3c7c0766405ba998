"""requirements-cpu.lock follows requirements.lock, and can be installed on its own."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def names(lock: str) -> set[str]:
    return set(re.findall(r"^([A-Za-z0-9._-]+)==", lock, flags=re.MULTILINE))


def script():
    spec = importlib.util.spec_from_file_location("cpu_lock", ROOT / ".ci" / "cpu_lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cpu_lock_is_made_from_the_lock():
    lock = (ROOT / "requirements.lock").read_text()
    assert (ROOT / "requirements-cpu.lock").read_text() == script().cpu_lock(lock)


def test_only_named_packages_are_left_out():
    whole, cpu = ((ROOT / name).read_text() for name in ("requirements.lock", "requirements-cpu.lock"))
    assert names(whole) - names(cpu) == set(script().NOT_LOADED)
    assert {"torch", "torchvision", "sympy", "nvidia-cublas"} <= names(cpu)


def test_every_kept_package_keeps_its_digests():
    entries = re.split(r"^(?=[A-Za-z0-9._-]+==)", (ROOT / "requirements-cpu.lock").read_text(), flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
