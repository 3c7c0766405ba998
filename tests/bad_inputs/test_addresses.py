"""Addresses that name nothing, cannot be reached, or hold something else: one message that says what to do."""

import shutil
import sys
from io import BytesIO
from pathlib import Path

import h5py
import pytest

from cellfeat.storage.opening import open_storage
from cellfeat.storage.url import Url
from tests.bad_inputs.conftest import Cli
from tests.bad_inputs.test_feature_files import write_features
from tests.object_stores import ACCESS_KEY, SECRET_KEY, Fault, FaultyServer


def _damaged(content: bytes) -> bytes:
    """Change a byte of the first embedding."""
    with h5py.File(BytesIO(content), "r") as file:
        place = file["embeddings"].id.get_offset()
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


@pytest.fixture
def lab(bucket: str, inside: Path, monkeypatch: pytest.MonkeyPatch) -> Url:
    """A bucket with a feature file, a damaged one, a table and a folder; the working folder has a cache."""
    monkeypatch.setenv("CELLFEAT_CACHE", str(inside / "cache"))
    url = Url.parse(bucket)
    storage = open_storage(url)
    content = write_features(inside / "cells.h5").read_bytes()
    (inside / "cells.h5").unlink()
    storage.replace("run/cells.h5", content)
    storage.replace("run/damaged.h5", _damaged(content))
    storage.replace("run/half.h5", content[: len(content) // 2])
    storage.replace("run/empty.h5", b"")
    storage.replace("run/labels.csv", b"file_id,label\n1,HeLa\n")
    return url


PLACES = {
    "no such file": ("{lab}/run/none.h5", r"run/none\.h5 does not exist; beside it: cells\.h5"),
    "no such bucket": ("s3://lab-none/cells.h5", "no bucket 'lab-none'.*AWS_ENDPOINT_URL"),
    "a bucket": ("{lab}", "names a bucket, and no file"),
    "a folder": ("{lab}/run", r"is a folder, with .* in it"),
    "a damaged file": ("{lab}/run/damaged.h5", r"run/damaged\.h5: .*(checksum|damaged)"),
    "half a file": ("{lab}/run/half.h5", r"run/half\.h5: damaged"),
    "an empty file": ("{lab}/run/empty.h5", r"run/empty\.h5: is empty"),
    "a table": ("{lab}/run/labels.csv", r"run/labels\.csv: is not HDF5, but a table"),
    "an unknown scheme": ("ftp://lab/cells.h5", r"ftp://lab/cells\.h5: expected .*s3://"),
    "no name": ("s3://", "names no bucket"),
    "credentials": (f"s3://{ACCESS_KEY}:{SECRET_KEY.replace('/', '')}@lab/cells.h5", "AWS_ACCESS_KEY_ID"),
    "a signed address": ("https://lab.org/cells.h5?X-Amz-Signature=abcdef", "from the environment"),
}


@pytest.mark.parametrize("name", PLACES)
def test_address_that_is_no_feature_file_is_refused(name: str, lab: Url, inside: Path, cli: Cli) -> None:
    place, message = PLACES[name]
    ending = cli("inspect", place.format(lab=lab))
    ending.is_refusal(message)
    for word in (ACCESS_KEY, SECRET_KEY.replace("/", ""), "abcdef", str(inside)):
        assert word not in ending.err.replace(f"to {inside / 'cache'}", "")
    assert not [path for path in inside.rglob("*.h5") if path.stat().st_size]


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "{}"),
        ("compare", "--heads", "dummy", "--features", "{}"),
        ("fit", "--head", "dummy", "--features", "{}"),
        ("audit", "--features", "{}"),
        ("export", "{}", "--to", "csv"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_says_that_there_is_no_such_file(arguments: tuple[str, ...], lab: Url, cli: Cli) -> None:
    missing = lab / "run/none.h5"
    cli(*(text.format(missing) for text in arguments)).is_refusal(rf"{missing} does not exist")


@pytest.mark.slow
def test_endpoint_that_cannot_be_reached_ends_within_seconds(
    lab: Url, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    ending = cli("verify", lab / "run/cells.h5")
    ending.is_refusal("no connection to the server, 3 times.*AWS_ENDPOINT_URL")
    assert "(2 of 3)" in ending.err


def test_missing_credentials_name_the_variables(lab: Url, cli: Cli, faulty: FaultyServer) -> None:
    faulty.plan = lambda *_: Fault(403, code="InvalidAccessKeyId")
    cli("verify", lab / "run/cells.h5").is_refusal(r"InvalidAccessKeyId.*AWS_ACCESS_KEY_ID.*AWS_SKIP_SIGNATURE")


def test_denied_permission_is_not_a_missing_file(lab: Url, cli: Cli, faulty: FaultyServer) -> None:
    faulty.plan = lambda *_: Fault(403, code="AccessDenied")
    cli("verify", lab / "run/cells.h5").is_refusal(r"AccessDenied.*permission")


def test_other_region_names_the_variable(lab: Url, cli: Cli, faulty: FaultyServer) -> None:
    faulty.plan = lambda *_: Fault(301, code="PermanentRedirect")
    cli("verify", lab / "run/cells.h5").is_refusal("AWS_REGION")


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_malformed_variables_are_named_and_not_shown(
    scheme: str, cli: Cli, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("obstore")
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", "secret-text")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "lab")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "secret-text!")
    ending = cli("inspect", f"{scheme}://lab/cells.h5")
    ending.is_refusal({"gs": "GOOGLE_APPLICATION_CREDENTIALS", "az": "AZURE_STORAGE_ACCOUNT_NAME"}[scheme])
    assert "secret-text" not in ending.err


def test_missing_extra_names_the_install_command(lab: Url, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    cli("verify", lab / "run/cells.h5").is_refusal(r'pip install "cellfeat\[cloud\]"')


@pytest.mark.parametrize("output", ["https://lab.org/cells.h5", "http://127.0.0.1:9/cells.h5"])
def test_web_server_as_output_is_refused(
    output: str, lab: Url, network: tuple[str, ...], inside: Path, cli: Cli
) -> None:
    from cellfeat.samples.synthetic import write_synthetic_cells

    write_synthetic_cells(inside, n_samples=9, seed=1, size=32)
    ending = cli("extract", "--images", "images", "--labels", "none", *network, "--output", output)
    ending.is_refusal(f"{output}: a web server can only be read from")


def test_timeout_that_is_no_number_is_refused(lab: Url, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLFEAT_STORAGE_TIMEOUT", "a minute")
    cli("verify", lab / "run/cells.h5").is_refusal(r"CELLFEAT_STORAGE_TIMEOUT.*'a minute'.*seconds")


def test_cache_that_cannot_be_written_is_named(
    lab: Url, inside: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inside / "taken").write_text("a file")
    monkeypatch.setenv("CELLFEAT_CACHE", str(inside / "taken"))
    cli("verify", lab / "run/cells.h5").is_refusal("taken")


@pytest.mark.slow
def test_results_go_to_a_local_folder(lab: Url, inside: Path, cli: Cli) -> None:
    ending = cli("compare", "--features", lab / "run/cells.h5", "--heads", "dummy", "--folds", "2", "--groups", "none")
    assert ending.code == 0, ending.err
    assert (inside / "results" / "cells" / "comparison.json").is_file()
    assert str(inside / "cache") not in (inside / "results" / "cells" / "comparison.json").read_text()
    shutil.rmtree(inside / "cache")
    ending = cli("compare", "--features", lab / "run/cells.h5", "--heads", "dummy", "--set", f"comparison.output={lab}")
    ending.is_refusal("comparison.output")


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "--output", "{}"),
        ("extract", "--output", "{}"),
        ("extract", "--images", "{}"),
        ("score", "--features", "cells.h5", "--model", "{}"),
        ("predict", "--model", "{}", "--features", "{}"),
        ("import", "{}"),
        ("export", "cells.h5", "--to", "csv", "--results", "{}"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_password_in_an_address_is_never_repeated(arguments: tuple[str, ...], inside: Path, cli: Cli) -> None:
    write_features(inside / "cells.h5")
    ending = cli(*(text.format("s3://me:secret-word@lab/cells") for text in arguments))
    ending.is_refusal("s3:/")
    assert "secret-word" not in ending.err
