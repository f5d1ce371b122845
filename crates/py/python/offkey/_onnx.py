"""Where ONNX Runtime is, for recipes with an encoder that was trained elsewhere."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

LIBRARY = "ORT_DYLIB_PATH"
"""The environment variable that names the library."""


def beside() -> Path | None:
    """The library of the package ``onnxruntime``, without importing it."""
    found = importlib.util.find_spec("onnxruntime")
    for folder in (found.submodule_search_locations or ()) if found else ():
        for pattern in ("libonnxruntime.so*", "libonnxruntime*.dylib", "onnxruntime.dll"):
            for path in sorted(Path(folder, "capi").glob(pattern)):
                return path
    return None


def name_library() -> None:
    """Names the library to the Rust side, where the user has not done so."""
    if LIBRARY not in os.environ:
        path = beside()
        if path is not None:
            os.environ[LIBRARY] = str(path)
