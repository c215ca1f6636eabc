"""Values that are one word on the command line and a small dataclass everywhere else."""

from __future__ import annotations

from typing import Any

from tyro.constructors import PrimitiveConstructorSpec

from dreamplate.errors import ConfigError


def from_text(cls: Any, metavar: str) -> PrimitiveConstructorSpec[Any]:
    """Return what makes tyro read a dataclass from one word by its ``parse``; put it into ``Annotated``.

    Args:
        cls: A dataclass with ``parse(text)`` and a ``str`` that ``parse`` reads back.
        metavar: How the word is written, for the help.
    """

    def read(words: list[str]) -> Any:
        try:
            return cls.parse(words[0])
        except ConfigError as error:
            raise ValueError(str(error)) from error

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, cls),
        str_from_instance=lambda value: [str(value)],
    )
