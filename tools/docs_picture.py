"""Put a picture that a command wrote into the documentation, the paths in its recipe made relative.

Usage: python tools/docs_picture.py MADE.png docs/gallery/NAME.png [--root FOLDER] [--half]
ROOT is the folder that the command ran in (default: this one). Recipes name files by their whole path; in a
picture for everyone they should read as the command beside it does. Pixels stay as they are, unless --half
averages each four of them, so that the picture stays small.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.plate import read, write
from dreamplate.take.config import canonical_json, data_id
from dreamplate.take.provenance import KEY, read_provenance


def relative(value: Any, root: str) -> Any:
    """Return plain data in which no text begins with the root folder."""
    if isinstance(value, dict):
        return {name: relative(item, root) for name, item in value.items()}
    if isinstance(value, list):
        return [relative(item, root) for item in value]
    if isinstance(value, str):
        return "." if value == root else value.removeprefix(f"{root}/")
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("made", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--half", action="store_true")
    asked = parser.parse_args()
    root = str(asked.root.resolve())
    recipe = relative(read_provenance(asked.made), root)
    recipe["id"] = data_id(recipe["config"])
    plate = read(asked.made)
    if asked.half:
        height, width = (side // 2 * 2 for side in plate.pixels.shape[:2])
        fours = plate.pixels[:height, :width].reshape(height // 2, 2, width // 2, 2, -1)
        plate = plate.with_(pixels=np.ascontiguousarray(fours.mean((1, 3))))
    others = {name: value for name, value in plate.metadata.items() if name != KEY}
    text = canonical_json(recipe)
    if root in text + json.dumps(others, default=str):
        raise SystemExit(f"{asked.made}: its metadata still name {root}")
    write(plate.with_(metadata=others | {KEY: text}), asked.target)
    print(f"{asked.target}: {asked.target.stat().st_size // 1000} kB, {recipe['kind']}")


if __name__ == "__main__":
    main()
