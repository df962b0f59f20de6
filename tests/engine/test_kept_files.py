"""What a study leaves beside its papers: figures that are drawn, files as they are."""

from __future__ import annotations

import runpy
import sys

import pytest

from fathom.core.errors import ResourceError
from fathom.core.findings import Findings
from fathom.engine.prepare import Surroundings

SCRIPT = '''
from __future__ import annotations

from fathom.core.findings import Findings
from fathom.core.recipe import recipe
from fathom.plots.scalars import bars


@recipe(section="1.1", title="T", zh="T")
def vectorization() -> Findings:
    """Leaves a figure and a file."""
    return Findings(
        figures={"bars": bars(["a", "b"], [1.0, 2.0])},
        files={"race.gif": b"GIF89a;", "alone.svg": b"<svg/>"},
        claims={"one is one": True},
    )


if __name__ == "__main__":
    from fathom.cli.copy import run_script

    run_script(vectorization, __file__)
'''


def test_each_is_kept_and_told_of_once(tmp_path, monkeypatch, capsys):
    script, folder = tmp_path / "told.py", tmp_path / "run"
    script.write_text(SCRIPT)
    monkeypatch.setattr(sys, "argv", [str(script), "--out", str(folder)])
    runpy.run_path(str(script), run_name="__main__")
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {"bars.svg", "bars.png", "race.gif", "alone.svg"}
    assert (folder / "figures" / "race.gif").read_bytes() == b"GIF89a;"
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line.startswith("figure")]
    assert [line.rpartition("/")[2] for line in lines] == ["alone.svg", "bars.png", "race.gif"]


def test_a_file_that_cannot_be_written_is_an_error_in_words(tmp_path):
    (tmp_path / "figures").write_text("a file in the way")
    around = Surroundings(None, None, None)
    with pytest.raises(ResourceError, match="could not be written"):
        around.keep(Findings(files={"a.gif": b"1"}), tmp_path / "figures")
