"""The notebook in examples/ does what it says, in a kernel of its own."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from counterparts import require
from spark.cluster import java_environment

NOTEBOOK = Path(__file__).parents[2] / "examples" / "cluster.ipynb"


@pytest.mark.timeout(600)
def test_the_notebook_runs_and_has_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("nbclient", importlib.util.find_spec("nbclient"), "python -m pip install nbclient ipykernel")
    import nbformat
    from nbclient import NotebookClient

    for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.reads(NOTEBOOK.read_text(encoding="utf-8"), as_version=4)
    kept = pictures(notebook)
    environ = java_environment(tmp_path) | {"PYSPARK_PYTHON": sys.executable}
    NotebookClient(notebook, timeout=300, kernel_name="python3",
                   resources={"metadata": {"path": str(tmp_path)}}).execute(env=environ)
    cells = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    [status] = [output.data["text/html"] for output in cells[1] if output.output_type == "display_data"]
    assert status.startswith("<p>Ended: "), "it was renewed up to the end"
    assert "worker" in status
    said = "".join(output.text for outputs in cells for output in outputs if output.get("name") == "stdout")
    assert "|accepted|" in said
    assert len(pictures(notebook)) == len(kept) == 2
    assert all(picture.startswith("<svg") for picture in kept), "those that the file itself has"
    assert "Traceback" not in json.dumps(cells)


def pictures(notebook: object) -> list[str]:
    return [output.data["image/svg+xml"] for cell in notebook.cells  # type: ignore[attr-defined]
            for output in cell.get("outputs", ()) if "image/svg+xml" in output.get("data", {})]
