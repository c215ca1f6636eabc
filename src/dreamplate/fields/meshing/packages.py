"""The optional packages that meshing stands on, each loaded on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dreamplate.errors import MissingExtraError

_EXTRAS = {"pxr": "usd"}


def package(name: str) -> Any:
    """Return a module of an optional package.

    Args:
        name: Module to import, such as ``skimage.measure``.

    Raises:
        MissingExtraError: The package is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        root = name.partition(".")[0]
        extra = _EXTRAS.get(root, "fields")
        raise MissingExtraError(
            f'the package {root} is not installed: pip install "dreamplate[{extra}]"'
        ) from error
