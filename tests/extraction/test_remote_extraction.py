"""Images at an address give the feature file of a disk; an outage of the store costs no sample."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.errors import ImageError, ReadError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import Status, load_features
from cellfeat.extraction.verification import check_pixels, recorded_manifest
from cellfeat.samples.reading.images import pixel_digest
from cellfeat.storage.objects import ObjectStorage
from cellfeat.storage.url import Url
from cellfeat.thumbnails import crop, find_thumbnails, make_thumbnails
from tests.extraction.observers import Lines, contents
from tests.object_stores import ACCESS_KEY, SECRET_KEY, Fault, FaultyServer
from tests.samples.remote_folders import upload

SettingsFor = Callable[..., Settings]


@pytest.fixture
def address(cells: Path, bucket: str) -> str:
    """The folder of `cells` on an object store: ``images/`` and ``labels.csv``."""
    return upload(cells, f"{bucket}/screen")


def of_address(address: str) -> dict[str, str]:
    return {"images.root": f"{address}/images", "labels.file": f"{address}/labels.csv"}


@pytest.mark.slow
def test_feature_file_is_that_of_the_disk(settings_for: SettingsFor, finished, address: str) -> None:
    made = extract(settings_for(**of_address(address))).path
    assert contents(made) == contents(finished())
    assert np.array_equal(load_features(made).embeddings, load_features(finished()).embeddings)


@pytest.mark.slow
def test_reading_processes_give_the_same(settings_for: SettingsFor, finished, address: str) -> None:
    made = extract(settings_for(**of_address(address), extraction__workers=2)).path
    assert contents(made) == contents(finished())


@pytest.mark.slow
def test_percentiles_of_the_data_set_are_the_same(settings_for: SettingsFor, finished, address: str) -> None:
    intensity = {"percentile": [1, 99], "over": "dataset"}
    made = extract(settings_for(**of_address(address), images__intensity=intensity)).path
    assert contents(made) == contents(finished(images__intensity=intensity))


@pytest.mark.slow
def test_nothing_of_the_images_or_credentials_stays(settings_for: SettingsFor, address: str, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    made = extract(settings_for(**of_address(address))).path
    assert {file.name for file in set(tmp_path.rglob("*")) - before} == {made.name}
    content = made.read_bytes()
    assert f"{address}/images".encode() in content
    assert ACCESS_KEY.encode() not in content
    assert SECRET_KEY.encode() not in content


@pytest.mark.slow
def test_images_of_an_address_have_thumbnails(settings_for: SettingsFor, address: str) -> None:
    features = load_features(extract(settings_for(**of_address(address), extraction__thumbnails=True)).path)
    made = find_thumbnails(features)
    shard = made.block(0)
    shutil.rmtree(made.folder)
    assert make_thumbnails(features).block(0) == shard
    assert pixel_digest(crop(features, 3)) == features.samples.digests[3]


@pytest.mark.slow
def test_file_of_a_disk_can_be_updated_and_verified_from_an_address(
    settings_for: SettingsFor, copy_of_finished: Path, address: str
) -> None:
    observer = Lines()
    extract(settings_for(**of_address(address)), update=True, observer=observer)
    assert any("24 carried over" in line for line in observer.lines)
    manifest = recorded_manifest(copy_of_finished, Url.parse(f"{address}/images"))
    check_pixels(copy_of_finished, manifest)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_objects_that_fail_are_quarantined(
    settings_for: SettingsFor, finished, address: str, faulty: FaultyServer
) -> None:
    faults = {"00003_red": Fault(403, code="AccessDenied"), "00009_blue": Fault(cut=10), "00020_red": Fault(404)}
    faulty.plan = lambda method, path, _: next(
        (fault for name, fault in faults.items() if name in path and "list-type" not in path), None
    )
    made = extract(settings_for(**of_address(address), extraction__on_error="quarantine")).path
    features = load_features(made)
    failed = np.flatnonzero(features.samples.status == Status.FAILED)
    assert features.samples.ids[failed].tolist() == ["3", "9", "20"]
    others = np.setdiff1d(np.arange(24), failed)
    assert np.array_equal(features.embeddings[others], load_features(finished()).embeddings[others])


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_object_that_fails_stops_the_run(settings_for: SettingsFor, address: str, faulty: FaultyServer) -> None:
    faulty.plan = lambda _method, path, _: Fault(403, code="AccessDenied") if "00003_red" in path else None
    with pytest.raises(ImageError, match=r"sample 3 .*00003_red\.png.*--on-error quarantine"):
        extract(settings_for(**of_address(address)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [Fault(503, code="SlowDown"), Fault(403, code="ExpiredToken")], ids=["busy", "expired"]
)
@pytest.mark.usefixtures("impatient")
def test_outage_ends_the_run_and_the_next_continues(
    settings_for: SettingsFor, finished, address: str, faulty: FaultyServer, fault: Fault
) -> None:
    settings = settings_for(**of_address(address), extraction__on_error="quarantine")
    is_down = False

    def plan(_method: str, path: str, _number: int) -> Fault | None:
        nonlocal is_down
        is_down |= "00020_blue" in path
        return fault if is_down else None

    faulty.plan = plan
    observer = Lines()
    with pytest.raises(ReadError, match="cannot be read"):
        extract(settings, observer=observer)
    assert not any("quarantined" in line for line in observer.lines)
    assert not settings.extraction.output.exists()
    faulty.plan = lambda *_: None
    again = Lines()
    made = extract(settings, observer=again).path
    assert contents(made) == contents(finished())
    assert load_features(made).samples.status.tolist() == [Status.OK] * 24


@pytest.mark.slow
def test_short_outage_is_survived(settings_for: SettingsFor, finished, address: str, faulty: FaultyServer) -> None:
    faulty.fail_first(1, Fault(503, code="SlowDown"), method="GET", path="_blue.png")
    made = extract(settings_for(**of_address(address))).path
    assert contents(made) == contents(finished())


@pytest.mark.slow
def test_changed_object_is_extracted_again(settings_for: SettingsFor, address: str, cells: Path) -> None:
    settings = settings_for(**of_address(address))
    extract(settings)
    storage = ObjectStorage(Url.parse(f"{address}/images"))
    storage.replace("00001_blue.png", (cells / "images" / "00002_blue.png").read_bytes())
    observer = Lines()
    extract(settings, update=True, observer=observer)
    assert any("0 new, 1 changed" in line for line in observer.lines)
