from pathlib import Path

import pytest

from cellfeat.heads.saved.bundle_files import save_bundle
from tests.heads.saved.fitted_bundles import fitted_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved head."""
    save_bundle(fitted_bundle(), tmp_path / "bundle")
    return tmp_path / "bundle"
