"""The command line: each command builds a config, and a few lines hand it to the room that does the work.

Flags are the fields of the config dataclasses; none is spelt here. Errors that Dreamplate raises on
purpose are one line on standard error and an exit code that says which kind (see ``errors.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from dreamplate.errors import ConfigError, DreamplateError, ResourceError

COMMANDS: dict[str, tuple[str, str]] = {
    "dream": ("make a picture from words", "dreamplate.cli_run:dream"),
    "complete": ("go on with a picture of which a part is kept", "dreamplate.cli_complete:complete"),
    "caption": ("say what a picture shows, in words a scorer agrees with", "dreamplate.cli_words:caption"),
    "probe": ("show what a scorer makes of a prompt or a picture", "dreamplate.cli_words:probe"),
    "tokens": ("tell a picture in codes, and see what they keep", "dreamplate.cli_tokens:tokens"),
    "upscale": ("make a picture or a sequence larger", "dreamplate.cli_upscale:upscale"),
    "sketch": ("draw a picture or a sequence in lines", "dreamplate.cli_sketch:sketch"),
    "translate": ("take pictures, sequences or video through a model", "dreamplate.cli_translate:translate"),
    "export": ("save a model as ONNX or TorchScript", "dreamplate.cli_translate:export"),
    "capture": ("find cameras from photographs or a video", "dreamplate.cli_capture:capture"),
    "cameras": ("convert, list and make camera files", "dreamplate.cli_cameras:cameras"),
    "fit": ("make a space of posed photographs", "dreamplate.cli_fit:fit"),
    "render": ("render passes of a space through any cameras", "dreamplate.cli_render:render"),
    "mesh": ("make a mesh or a point cloud of a space", "dreamplate.cli_mesh:mesh"),
    "world": ("render a drawn world: pictures with passes, captions, cameras", "dreamplate.cli_world:world"),
    "train": ("learn to make pictures of pictures, label maps or noise", "dreamplate.cli_train:train"),
    "brittleness": (
        "show where conditions lie outside what a model has learnt from",
        "dreamplate.cli_brittleness:brittleness",
    ),
    "resume": ("continue a take that was stopped, however it was stopped", "dreamplate.cli_run:resume"),
    "redo": ("make a picture again from the recipe inside it", "dreamplate.cli_run:redo"),
    "info": ("say what a file or a take is, and how it was made", "dreamplate.cli_info:info"),
    "models": ("list, show, import, pull and verify weights", "dreamplate.cli:models"),
    "recipes": ("list the named recipes, or print one", "dreamplate.cli_run:recipes"),
}
"""Command → what it does, and the function that takes its arguments and returns the exit code."""

MODELS: dict[str, tuple[str, str]] = {
    "list": ("list the models there are, and where", "dreamplate.cli_models:ListModels"),
    "info": ("show a model's card", "dreamplate.cli_models:ShowModel"),
    "import": ("read a weight file safely into the store", "dreamplate.cli_models:ImportModel"),
    "pull": ("download a model from the hub", "dreamplate.cli_models:PullModel"),
    "verify": ("check every weight file against its card", "dreamplate.cli_models:VerifyModels"),
}
"""Sub-command of ``models`` → what it does, and its dataclass."""


_NO_MEMORY = "not enough memory; close other programs, or ask for less (smaller pictures, --memory)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return dispatch("dreamplate", COMMANDS, arguments)
    except DreamplateError as error:
        print(f"dreamplate: {_one_line(error)}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except (MemoryError, RuntimeError, ImportError) as error:
        from dreamplate.take.failures import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        print(f"dreamplate: {_NO_MEMORY} ({_one_line(error)[:150]})", file=sys.stderr)  # noqa: T201
        return ResourceError.exit_code
    except KeyboardInterrupt:
        print("dreamplate: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    except BrokenPipeError:
        return 141


def dispatch(program: str, table: dict[str, tuple[str, str]], arguments: list[str]) -> int:
    """Run the command of ``table`` that the first argument names; returns its exit code."""
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help", "help"):
        _print(_overview(program, table))
        return 0 if arguments else 2
    if name in ("-V", "--version") and program == "dreamplate":
        from dreamplate import __version__

        _print(f"dreamplate {__version__}")
        return 0
    if name not in table:
        from dreamplate.take.fields import nearest

        raise ConfigError(f"no command {name!r}: {nearest(name, list(table))} (see {program} --help)")
    module, _, attribute = table[name][1].partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, type):
        import tyro

        command: Any = tyro.cli(found, prog=f"{program} {name}", args=arguments[1:])
        return int(command.run())
    return int(found(arguments[1:]))


def _overview(program: str, table: dict[str, tuple[str, str]]) -> str:
    width = max(map(len, table))
    rows = "\n".join(f"  {name:<{width}}  {summary}" for name, (summary, _) in table.items())
    more = f"{program} COMMAND --help lists what a command takes."
    return f"usage: {program} COMMAND ...\n\ncommands:\n{rows}\n\n{more}"


def models(arguments: list[str]) -> int:
    """``dreamplate models list | info | import | pull | verify``."""
    return dispatch("dreamplate models", MODELS, arguments)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _print(text: str) -> None:
    print(text)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
