"""The notebooks of the documentation run from their first cell to their last."""

from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext", reason="`make docs` installs what notebooks need")
nbclient = pytest.importorskip("nbclient", reason="`make docs` installs what notebooks need")

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.nb.py"))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path) -> None:
    notebook = jupytext.read(path)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    errors = [out for cell in notebook.cells for out in cell.get("outputs", ()) if out.output_type == "error"]
    assert not errors
