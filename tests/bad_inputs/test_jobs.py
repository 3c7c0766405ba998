"""Options of jobs and clusters that cannot be: a clear refusal before any fold is fitted."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BAD = {
    "no jobs": (["--jobs", "0"], "--jobs.*1 or more.*'0'"),
    "negative jobs": (["--jobs", "-2"], "--jobs.*1 or more.*'-2'"),
    "word": (["--jobs", "abc"], "--jobs.*number.*'abc'"),
    "half a job": (["--jobs", "1.5"], "--jobs.*number.*'1.5'"),
    "empty": (["--jobs", ""], "--jobs.*number"),
    "address without an engine": (["--address", "auto"], "--address auto.*--engine ray"),
    "jobs of a cluster": (["--engine", "ray", "--jobs", "2"], "--jobs 2.*--engine ray"),
}

OF_RAY = {
    "address of nothing": ("127.0.0.1:9", "127.0.0.1:9: nothing answers there"),
    "address of a web page": ("https://ray.example.org", "ray.example.org.*HOST:PORT"),
    "port too large": ("127.0.0.1:99999", "127.0.0.1:99999"),
    "no port": ("head", "--address head: .*HOST:PORT"),
}


@pytest.fixture(scope="module")
def features(tmp_path_factory, cli) -> Path:
    folder = tmp_path_factory.mktemp("jobs")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 4)), columns=list("wxyz"))
    table.insert(0, "plate", [f"P{i // 2 % 5}" for i in range(60)])
    table.insert(0, "label", np.array(["a", "b"])[np.arange(60) % 2])
    table.insert(0, "id", [f"s{i}" for i in range(60)])
    table.to_csv(folder / "cells.csv", index=False)
    output = folder / "cells.h5"
    assert cli("import", folder / "cells.csv", "--label", "label", "--group", "plate", "--output", output).code == 0
    return output


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize(
    "command", [("compare", "--heads", "dummy"), ("fit", "--head", "dummy")], ids=lambda one: one[0]
)
def test_jobs_that_cannot_be_are_refused(name, command, features, inside, cli):
    arguments, message = BAD[name]
    cli(*command, "--features", features, *arguments).is_refusal(message)
    assert not (inside / "results").exists()


@pytest.mark.parametrize("name", OF_RAY)
def test_clusters_that_cannot_be_are_refused_in_seconds(name, features, inside, cli):
    pytest.importorskip("ray")
    address, message = OF_RAY[name]
    cli("compare", "--features", features, "--heads", "dummy", "--engine", "ray", "--address", address).is_refusal(
        message
    )
    assert not (inside / "results" / "cells" / "comparison.json").exists()


def test_missing_ray_names_the_installation(features, inside, cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    ending = cli("compare", "--features", features, "--heads", "dummy", "--engine", "ray")
    ending.is_refusal(r"pip install 'cellfeat\[ray\]'")
