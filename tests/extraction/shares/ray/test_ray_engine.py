"""Extractions on a Ray cluster of this machine: their file has the bytes that one process gives."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cellfeat.config import Settings
from cellfeat.errors import FingerprintError, ImageError, WorkerError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.shares.planning import plan_extraction
from cellfeat.extraction.shares.ray.engine import RayOptions, extract_on_ray
from cellfeat.extraction.shares.share import Share
from cellfeat.extraction.shares.worker import extract_share
from cellfeat.extraction.store import parts_folder
from tests.extraction.observers import Disturbed, Lines, contents

pytest.importorskip("ray")
MakeSettings = Callable[..., Settings]
SMALL = {"extraction__part_size": 4, "extraction__batch_size": 2, "preprocessing__input_size": 32}


@pytest.mark.slow
@pytest.mark.usefixtures("local_cluster")
class TestOnLocalCluster:
    """Each starts workers anew, which takes seconds: the quick ones are few."""

    def test_two_workers_give_the_bytes_of_one_process(self, small: Settings, undisturbed: dict[str, Any]) -> None:
        observer = Lines()
        extraction = extract_on_ray(small, RayOptions(n_workers=2), observer=observer)
        assert contents(extraction.path) == undisturbed
        assert (extraction.n_samples, extraction.n_failed) == (24, 0)
        assert observer.progress[-1] == (24, 24)
        assert any("2 workers with 1 CPU thread each" in line for line in observer.lines)
        assert sum("device: cpu (1 threads)" in line for line in observer.lines) == 1
        assert len(set(observer.lines)) == len(observer.lines)
        assert not parts_folder(extraction.path).exists()

    @pytest.mark.slow
    def test_unreadable_sample_ends_all_workers(
        self, settings_for: MakeSettings, images: Path, undisturbed: dict[str, Any]
    ) -> None:
        image = images / "00007_blue.png"
        whole = image.read_bytes()
        image.write_bytes(b"")
        settings = settings_for(**SMALL, images__root=images)
        with pytest.raises(ImageError, match=r"worker \d on .*, rows 4 to 7: sample 7 .*--on-error quarantine"):
            extract_on_ray(settings, RayOptions(n_workers=2))
        assert not settings.extraction.output.exists()
        image.write_bytes(whole)
        assert contents(extract(settings).path) == undisturbed

    @pytest.mark.slow
    def test_unreadable_sample_is_quarantined_and_told_once(self, settings_for: MakeSettings, images: Path) -> None:
        (images / "00007_blue.png").write_bytes(b"")
        settings = settings_for(**SMALL, images__root=images, extraction__on_error="quarantine")
        observer = Lines()
        assert extract_on_ray(settings, RayOptions(n_workers=2), observer=observer).n_failed == 1
        assert sum("quarantined: sample 7" in line for line in observer.lines) == 1

    @pytest.mark.slow
    def test_run_that_shares_began_is_finished(self, small: Settings, undisturbed: dict[str, Any]) -> None:
        extract_share(small, Share(1, 3))
        observer = Lines()
        assert contents(extract_on_ray(small, observer=observer).path) == undisturbed
        assert any("2 of 6 parts are there" in line for line in observer.lines)
        assert observer.progress[0][0] >= 8

    @pytest.mark.slow
    def test_image_that_changed_since_a_part_was_made_is_extracted_again(
        self, settings_for: MakeSettings, images: Path
    ) -> None:
        settings = settings_for(**SMALL, images__root=images)
        extract_share(settings, Share(1, 3))
        shutil.copy(images / "00001_blue.png", images / "00006_blue.png")
        extract_on_ray(settings)
        again = settings_for(
            **SMALL, images__root=images, extraction__output=settings.extraction.output.parent / "b.h5"
        )
        assert contents(settings.extraction.output) == contents(extract(again).path)

    def test_finished_file_needs_no_worker(self, small: Settings, finished: Callable[..., Path]) -> None:
        shutil.copy(finished(**SMALL), small.extraction.output)
        observer = Lines()
        assert extract_on_ray(small, observer=observer).n_extracted == 0
        assert any("finished already" in line for line in observer.lines)

    def test_plan_with_other_settings_is_refused_before_a_worker_starts(self, settings_for: MakeSettings) -> None:
        plan_extraction(settings_for(**SMALL))
        observer = Lines()
        with pytest.raises(FingerprintError, match="views: 1 -> 4"):
            extract_on_ray(settings_for(**SMALL, extraction__views=4), observer=observer)

    @pytest.mark.slow
    def test_ctrl_c_keeps_finished_batches(self, small: Settings, undisturbed: dict[str, Any]) -> None:
        def press() -> None:
            raise KeyboardInterrupt

        observer = Disturbed(6, press)
        with pytest.raises(KeyboardInterrupt):
            extract_on_ray(small, RayOptions(n_workers=2), observer=observer)
        assert any("of 6 parts are done, and kept" in line for line in observer.lines)
        assert list(parts_folder(small.extraction.output).glob("*-*.h5"))
        assert contents(extract_on_ray(small).path) == undisturbed

    @pytest.mark.slow
    def test_waiting_for_a_busy_cluster_ends_with_a_message(
        self, small: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import ray

        @ray.remote(num_cpus=2)
        class Busy:
            def ready(self) -> bool:
                return True

        busy = Busy.remote()
        assert ray.get(busy.ready.remote())
        monkeypatch.setattr("cellfeat.extraction.shares.ray.foreman.SECONDS_TO_START", 3)
        monkeypatch.setattr("cellfeat.extraction.shares.ray.foreman.SECONDS_UNTIL_TOLD", 1)
        observer = Lines()
        with pytest.raises(WorkerError, match=r"no worker has started .*1 CPU.*ray status"):
            extract_on_ray(small, RayOptions(n_workers=2), observer=observer)
        assert any("2 of 2 workers wait" in line for line in observer.lines)
        ray.kill(busy)
