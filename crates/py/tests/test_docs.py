"""The guide and the notebook run, and the guide prints what it says.

`UPDATE_DOCS=1` writes into the guide what its examples print now.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"
BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<printed>.*?)```\n)?", re.DOTALL)


def test_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    guide = (DOCS / "python.md").read_text()
    names: dict[str, object] = {}
    blocks = list(BLOCK.finditer(guide))
    assert len(blocks) > 6
    updated = guide
    for block in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block["code"], "docs/python.md", "exec"), names)
        if block["printed"] is None:
            assert printed.getvalue() == "", block["code"]
            continue
        if os.environ.get("UPDATE_DOCS"):
            new = block[0].replace(
                f"```text\n{block['printed']}```", f"```text\n{printed.getvalue()}```"
            )
            updated = updated.replace(block[0], new)
        else:
            assert printed.getvalue() == block["printed"], block["code"]
    if updated != guide:
        (DOCS / "python.md").write_text(updated)


def test_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((DOCS / "notebooks" / "folder-to-alarm.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 4
    names: dict[str, object] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for cell in cells:
            exec(compile(cell, "folder-to-alarm.ipynb", "exec"), names)
    assert "alarm" in printed.getvalue()
