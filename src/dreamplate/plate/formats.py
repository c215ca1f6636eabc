"""The file formats: how each is recognised, what it can hold, and what its values mean by default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dreamplate.errors import MediaError
from dreamplate.files import raise_os_error


@dataclass(frozen=True)
class Format:
    """What one kind of picture file can hold.

    Attributes:
        name: Short name, also OpenImageIO's.
        extensions: With the dot, lower case; the first is the usual one.
        magic: Beginnings that such a file may have.
        depths: Sample types that it stores; the first is the default.
        channels: Numbers of channels it can store (empty: any number with any names).
        straight: Whether its alpha is straight (not premultiplied) in the file.
        trailer: Whether our note follows the picture data; see ``trailer``.
        compressions: Names accepted by ``write``; the first is the default.
    """

    name: str
    extensions: tuple[str, ...]
    magic: tuple[bytes, ...]
    depths: tuple[str, ...]
    channels: tuple[int, ...] = ()
    straight: bool = False
    trailer: bool = False
    compressions: tuple[str, ...] = ("none",)


_EXR_COMPRESSIONS = ("zip", "zips", "rle", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab", "none")

FORMATS: dict[str, Format] = {
    "openexr": Format(
        "openexr",
        (".exr",),
        (b"\x76\x2f\x31\x01",),
        ("half", "float", "uint"),
        compressions=_EXR_COMPRESSIONS,
    ),
    "png": Format(
        "png",
        (".png",),
        (b"\x89PNG\r\n\x1a\n",),
        ("8", "16"),
        (1, 2, 3, 4),
        straight=True,
        compressions=("zip",),
    ),
    "tiff": Format(
        "tiff",
        (".tif", ".tiff"),
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        ("16", "8", "half", "float"),
        straight=True,
        trailer=True,
        compressions=("zip", "lzw", "packbits", "none"),
    ),
    "jpeg": Format(
        "jpeg", (".jpg", ".jpeg"), (b"\xff\xd8\xff",), ("8",), (1, 3), trailer=True, compressions=("jpeg",)
    ),
    "dpx": Format("dpx", (".dpx",), (b"SDPX", b"XPDS"), ("10", "8", "12", "16"), (3,), trailer=True),
    "hdr": Format(
        "hdr",
        (".hdr", ".rgbe"),
        (b"#?RADIANCE", b"#?RGBE"),
        ("rgbe",),
        (3,),
        trailer=True,
        compressions=("rle",),
    ),
}

VIDEO_EXTENSIONS: dict[str, str] = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "matroska",
    ".avi": "avi",
}
"""Container by extension; the container is never guessed from the contents."""

BY_EXTENSION: dict[str, Format] = {e: f for f in FORMATS.values() for e in f.extensions}


def is_video(path: str | os.PathLike[str]) -> bool:
    """Return whether a path names a video file, by its extension."""
    return Path(path).suffix.lower() in VIDEO_EXTENSIONS


def format_for(path: Path) -> Format:
    """Return the format that the extension of ``path`` names.

    Raises:
        MediaError: The extension is missing or unknown.
    """
    found = BY_EXTENSION.get(path.suffix.lower())
    if found is None:
        known = " ".join(sorted(BY_EXTENSION))
        what = f"the extension {path.suffix!r} is no picture format" if path.suffix else "it has no extension"
        raise MediaError(f"{path}: {what}; use one of {known}")
    return found


def sniff(path: Path) -> Format:
    """Return the format of an existing picture file, checking that name and contents agree.

    Raises:
        MediaError: The file is missing, empty, not a file, unknown, or named as something it is not.
    """
    expected = format_for(path)
    try:
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise MediaError(f"{path}: is {kind}; name a picture file")
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise_os_error(error, path, MediaError, "read")
    except ValueError as error:  # a NUL character in the name
        raise MediaError(f"{str(path)!r}: is no file name; check the path") from error
    if not head:
        raise MediaError(f"{path}: is empty (0 bytes); write or copy it again")
    for found in FORMATS.values():
        if head.startswith(found.magic):
            if found is not expected:
                fitting = path.with_suffix(found.extensions[0]).name
                raise MediaError(
                    f"{path}: holds {found.name}, its name says otherwise; rename it to {fitting}"
                )
            return found
    raise MediaError(
        f"{path}: is not a {expected.name} file (it begins with {head[:4]!r}); check where it came from"
    )
