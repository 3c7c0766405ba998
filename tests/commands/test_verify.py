from pathlib import Path

import pytest

from tests.commands.command_line import refused, run_cli, succeed


def test_changed_byte_of_a_feature_file_is_found(folder: Path) -> None:
    assert "whole; 150 samples" in succeed(folder, "verify", "features/cells.h5").stdout
    data = bytearray((folder / "features" / "cells.h5").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (folder / "damaged.h5").write_bytes(data)
    message = refused(folder, "verify", "damaged.h5")
    assert "damaged.h5" in message
    assert "checksum" in message


@pytest.mark.slow
def test_file_is_compared_with_its_images_and_its_recipe(folder: Path) -> None:
    done = succeed(folder, "verify", "features/cells.h5", "--images", "--sample", "2")
    assert "all 150 samples" in done.stdout
    assert "2 samples extracted again" in done.stdout


@pytest.mark.slow
def test_changed_byte_of_a_saved_head_is_found(folder: Path) -> None:
    succeed(folder, "fit", "--head", "dummy", "--folds", "2", "--output", "results/verified")
    whole = succeed(folder, "verify", "results/verified")
    assert "results/verified: whole; dummy, 9 classes" in whole.stdout
    arrays = folder / "results" / "verified" / "arrays.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    assert "arrays.safetensors" in refused(folder, "verify", "results/verified")


def test_folder_of_images_behind_the_switch_is_explained(folder: Path) -> None:
    done = run_cli(folder, "verify", "--images", "images")
    assert done.returncode == 2
    assert "--images --root images" in done.stderr
