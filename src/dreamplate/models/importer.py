"""Importers: tables that rename somebody's tensors to ours, and a report of what fitted.

An importer is data. Its signature says by which tensor names and shapes a checkpoint is recognised, its
rules say what becomes of each tensor, and two hooks say which settings the shapes imply and which tensors
a network of these settings needs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamplate.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["IMPORTERS", "ImportReport", "Importer", "Rule", "detect", "get_importer", "import_state"]

Shape = tuple[int, ...]
Settings = Mapping[str, int | float | str]

IMPORTERS: dict[str, str] = {
    "bert": "dreamplate.models.layouts.bert:BERT",
    "biggan": "dreamplate.models.layouts.biggan:BIGGAN",
    "biggan-port": "dreamplate.models.layouts.biggan:BIGGAN_PORT",
    "clip": "dreamplate.models.layouts.clip:CLIP",
    "clip-hugging-face": "dreamplate.models.layouts.clip:CLIP_HUGGING_FACE",
    "dalle-decoder": "dreamplate.models.layouts.dvae:DALLE_DECODER",
    "dalle-encoder": "dreamplate.models.layouts.dvae:DALLE_ENCODER",
    "dalle-mini": "dreamplate.models.layouts.dalle_mini:DALLE_MINI",
    "dalle-mini-detoker": "dreamplate.models.layouts.dalle_mini:DALLE_MINI_DETOKER",
    "dalle-mini-encoder": "dreamplate.models.layouts.dalle_mini:DALLE_MINI_ENCODER",
    "dvae": "dreamplate.models.layouts.dvae:DVAE",
    "efficientnet-lite": "dreamplate.models.layouts.efficientnet_lite:EFFICIENTNET_LITE",
    "identity": "dreamplate.models.layouts.identity:IDENTITY",
    "image-gpt": "dreamplate.models.layouts.image_gpt:IMAGE_GPT",
    "image-gpt-hugging-face": "dreamplate.models.layouts.image_gpt:IMAGE_GPT_HUGGING_FACE",
    "imaginaire-spade": "dreamplate.models.layouts.imaginaire:IMAGINAIRE_SPADE",
    "line-drawer": "dreamplate.models.layouts.line_drawer:LINE_DRAWER",
    "nerf": "dreamplate.models.layouts.nerf:NERF",
    "nerf-list": "dreamplate.models.layouts.nerf:NERF_LIST",
    "nerf-network": "dreamplate.models.layouts.nerf:NERF_NETWORK",
    "nerf-pytorch": "dreamplate.models.layouts.nerf:NERF_PYTORCH",
    "nerf-pytorch-parallel": "dreamplate.models.layouts.nerf:NERF_PYTORCH_PARALLEL",
    "photosketch": "dreamplate.models.layouts.photosketch:PHOTOSKETCH",
    "pict-unet": "dreamplate.models.layouts.pict:PICT",
    "pix2pix-patchgan": "dreamplate.models.layouts.pix2pix:PATCHGAN",
    "pix2pix-pixel-discriminator": "dreamplate.models.layouts.pix2pix:PIXEL_DISCRIMINATOR",
    "pix2pix-resnet": "dreamplate.models.layouts.pix2pix:RESNET",
    "pix2pix-unet": "dreamplate.models.layouts.pix2pix:UNET",
    "pix2pixhd": "dreamplate.models.layouts.pix2pixhd:PIX2PIXHD",
    "pix2pixhd-discriminator": "dreamplate.models.layouts.pix2pixhd:DISCRIMINATOR",
    "pix2pixhd-encoder": "dreamplate.models.layouts.pix2pixhd:ENCODER",
    "spade": "dreamplate.models.layouts.spade:SPADE",
    "spade-discriminator": "dreamplate.models.layouts.spade:SPADE_DISCRIMINATOR",
    "spade-encoder": "dreamplate.models.layouts.spade:SPADE_ENCODER",
    "stylegan2": "dreamplate.models.layouts.stylegan2:STYLEGAN2",
    "stylegan2-discriminator": "dreamplate.models.layouts.stylegan2:STYLEGAN2_DISCRIMINATOR",
    "tiny-autoencoder": "dreamplate.models.layouts.tiny_autoencoder:TINY_AUTOENCODER",
    "tiny-autoencoder-decoder": "dreamplate.models.layouts.tiny_autoencoder:TINY_DECODER",
    "tiny-autoencoder-encoder": "dreamplate.models.layouts.tiny_autoencoder:TINY_ENCODER",
    "vq": "dreamplate.models.layouts.vq:VQ",
}
"""Name → where its table is; families add theirs. Tried in this order, ``identity`` only when asked for."""

_WRAPPERS = ("state_dict.", "model_state_dict.", "params_ema.", "params.", "model.", "net.", "module.")
"""What training programs put before every name; taken off when the signature then fits."""


@dataclass(frozen=True)
class Rule:
    r"""What becomes of the tensors whose whole name matches.

    Attributes:
        pattern: Regular expression for the whole source name.
        targets: New names, with ``\1`` or ``\g<name>`` for groups. None drops the tensor; several cut it in
            equal parts along axis 0, one for each.
        transform: Name in `TRANSFORMS`, applied before cutting or joining.
        part: This tensor is part number ``part`` of its target; parts are joined along axis 0.
    """

    pattern: str
    targets: tuple[str, ...] = ()
    transform: str = ""
    part: int | None = None


@dataclass(frozen=True)
class Importer:
    """How one kind of checkpoint is read.

    Attributes:
        name: Key in `IMPORTERS`.
        title: One line for people.
        architecture: What the renamed tensors fit.
        family: Room or role that uses it.
        signature: Tensor name → shape, ``None`` for any size; all must be there.
        rules: The first that matches a name decides; names that none matches are reported, not imported.
        infer: Settings from the shapes of the renamed tensors.
        expected: Names and shapes that a network of these settings needs.
        wrappers: Prefixes, besides the usual ones, that may stand before every name.
        tags: Settings that no shape shows, from the file's path (what lies beside it, its name) and the names
            of its tensors; they go over the inferred ones.
        prepare: Changes the source tensors (by names without their wrapper) before the rules see them, where
            several are needed for one, or values must be looked at. Raises CheckpointError.
        accepts: What shapes (by names without their wrapper) must fulfil besides the signature.
        preferred: Part of a wrapper: where several copies of a network are in one file, the one that has it.
        beyond: Regular expression for what lies beside the network on purpose (optimisers, other networks):
            dropped, where it is not in the wrapper.
        licence: Of the weights that were published in this layout; said when nobody says otherwise.
        beside: Other files that belong to a checkpoint, from its path: what is put before the names of their
            tensors, and where they are.
        adds: Tensors that lie beside a checkpoint in no weight file, such as a palette, from its path; by our
            names. Raises CheckpointError.
    """

    name: str
    title: str
    architecture: str
    family: str
    signature: Mapping[str, tuple[int | None, ...]]
    rules: tuple[Rule, ...]
    infer: Callable[[Mapping[str, Shape]], Settings] | None = None
    expected: Callable[[Settings], Mapping[str, Shape]] | None = None
    wrappers: tuple[str, ...] = ()
    tags: Callable[[Path, Collection[str]], Settings] | None = None
    prepare: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None
    accepts: Callable[[Mapping[str, Shape]], bool] | None = None
    beside: Callable[[Path], Mapping[str, Path]] | None = None
    adds: Callable[[Path], Mapping[str, Tensor]] | None = None
    preferred: str = ""
    beyond: str = ""
    licence: str = ""

    def wrapper(self, shapes: Mapping[str, Shape]) -> str | None:
        """Return the prefix under which the signature fits (``""`` for none), or ``None`` if it does not."""
        if not self.signature:
            return None
        first = next(iter(self.signature))
        # Wrappers nest: ``state_dict.module.`` is common.
        prefixes = {name.removesuffix(first) for name in shapes if name.endswith(first)}
        for prefix in sorted(prefixes, key=lambda found: (self.preferred not in found, len(found))):
            if _is_wrapper(prefix, _WRAPPERS + self.wrappers) and all(
                _fits(shapes.get(prefix + name), shape) for name, shape in self.signature.items()
            ):
                own = {n.removeprefix(prefix): shape for n, shape in shapes.items() if n.startswith(prefix)}
                if self.accepts is None or self.accepts(own):
                    return prefix
        return None

    def matches(self, shapes: Mapping[str, Shape]) -> bool:
        """Say whether a checkpoint of these tensors is of this kind."""
        return self.wrapper(shapes) is not None


@dataclass(frozen=True)
class ImportReport:
    """What fitted.

    Attributes:
        importer: Name of the importer.
        matched: Names that the network needs and got.
        missing: Names that it needs and did not get.
        unexpected: Source names that no rule knows, or results that the network does not need.
        mismatched: Name, shape found, shape needed.
        dropped: How many tensors the rules drop on purpose.
        settings: Inferred settings, and those that came with the file.
    """

    importer: str
    matched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[tuple[str, Shape, Shape], ...] = ()
    dropped: int = 0
    settings: Settings = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether the network has all it needs."""
        return not self.missing and not self.mismatched

    def __str__(self) -> str:
        """Return a few lines for people: counts, then the first names of whatever did not fit."""
        lines = [f"{self.importer}: {len(self.matched)} tensors matched, {self.dropped} dropped on purpose"]
        lines += _listing("missing", self.missing)
        lines += _listing("unexpected", self.unexpected)
        lines += _listing(
            "wrong shape",
            [f"{name} is {found}, should be {needed}" for name, found, needed in self.mismatched],
        )
        return "\n".join(lines)

    def summary(self) -> dict[str, int | str]:
        """Return what is kept in the card."""
        return {
            "importer": self.importer,
            "matched": len(self.matched),
            "missing": len(self.missing),
            "unexpected": len(self.unexpected),
            "mismatched": len(self.mismatched),
            "dropped": self.dropped,
        }


def transpose(tensor: Tensor) -> Tensor:
    """Swap the last two axes, as between ``(in, out)`` and ``(out, in)`` matrices."""
    return tensor.transpose(-1, -2).contiguous()


def channels_first(tensor: Tensor) -> Tensor:
    """Turn a convolution of layout ``(h, w, in, out)`` into ``(out, in, h, w)``."""
    return tensor.permute(3, 2, 0, 1).contiguous()


TRANSFORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "channels_first": channels_first,
    "transpose": transpose,
}


def get_importer(name: str) -> Importer:
    """Return an importer by name.

    Raises:
        ConfigError: There is none of this name.
    """
    if name not in IMPORTERS:
        near = difflib.get_close_matches(name, IMPORTERS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(IMPORTERS))}"
        raise ConfigError(f"no importer is named {name[:60]!r}; {hint}")
    module, _, attribute = IMPORTERS[name].partition(":")
    found = getattr(import_module(module), attribute)
    assert isinstance(found, Importer)
    return found


def detect(shapes: Mapping[str, Shape]) -> Importer | None:
    """Return the importer that recognises a checkpoint, or ``None``.

    Args:
        shapes: Shape by tensor name.
    """
    return next((found for found in map(get_importer, IMPORTERS) if found.matches(shapes)), None)


def import_state(
    importer: Importer, state: Mapping[str, Tensor], path: Path | None = None
) -> tuple[dict[str, Tensor], ImportReport]:
    """Rename a checkpoint's tensors.

    Args:
        importer: Its kind; a checkpoint that lacks the signature is still tried, and the report tells.
        state: Tensors by source name.
        path: The file they come from, for what it says beside its tensors.

    Returns:
        Tensors by our names, and what fitted. Tensors that need no change are not copied.

    Raises:
        CheckpointError: Two source tensors have one target, a joined tensor lacks a part, or a tensor does
            not have the axes that its rule needs.
    """
    prefix = importer.wrapper({name: tuple(tensor.shape) for name, tensor in state.items()}) or ""
    made: dict[str, Tensor] = {}
    parts: dict[str, dict[int, Tensor]] = {}
    outside = [name for name in state if not name.startswith(prefix)]
    beyond = re.compile(importer.beyond) if importer.beyond else None
    unexpected = [name for name in outside if beyond is None or not beyond.fullmatch(name)]
    own: Mapping[str, Tensor] = {
        name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)
    }
    if importer.prepare is not None:
        own = importer.prepare(own)
    dropped = len(outside) - len(unexpected)
    rules = [(re.compile(rule.pattern), rule) for rule in importer.rules]
    for name, tensor in own.items():
        source = prefix + name
        match, rule = _first_match(rules, name)
        if match is None:
            unexpected.append(source)
        elif not rule.targets:
            dropped += 1
        else:
            for target, piece in zip(rule.targets, _pieces(source, tensor, rule), strict=True):
                place = match.expand(target)
                if rule.part is not None:
                    _put(parts.setdefault(place, {}), rule.part, piece, source)
                else:
                    _put(made, place, piece, source)
    for place, found in parts.items():
        _put(made, place, _join(place, found), place)
    if importer.adds is not None and path is not None:
        for place, tensor in importer.adds(path).items():
            _put(made, place, tensor, place)
    tags = importer.tags(path, tuple(state)) if importer.tags and path is not None else {}
    return made, _report(importer, made, tuple(unexpected), dropped, tags)


def _report(
    importer: Importer,
    made: Mapping[str, Tensor],
    unexpected: tuple[str, ...],
    dropped: int,
    tags: Settings,
) -> ImportReport:
    shapes = {name: tuple(tensor.shape) for name, tensor in made.items()}
    settings = {**(importer.infer(shapes) if importer.infer else {}), **tags}
    needed = importer.expected(settings) if importer.expected else shapes
    return ImportReport(
        importer=importer.name,
        matched=tuple(name for name, shape in needed.items() if shapes.get(name) == shape),
        missing=tuple(name for name in needed if name not in shapes),
        unexpected=unexpected + tuple(name for name in shapes if name not in needed),
        mismatched=tuple(
            (name, shapes[name], shape)
            for name, shape in needed.items()
            if name in shapes and shapes[name] != shape
        ),
        dropped=dropped,
        settings=settings,
    )


def _first_match(rules: list[tuple[re.Pattern[str], Rule]], name: str) -> tuple[re.Match[str] | None, Rule]:
    for pattern, rule in rules:
        match = pattern.fullmatch(name)
        if match is not None:
            return match, rule
    return None, Rule("")


def _pieces(name: str, tensor: Tensor, rule: Rule) -> list[Tensor]:
    """Transform one source tensor and cut it for its targets."""
    try:
        changed = TRANSFORMS[rule.transform](tensor) if rule.transform else tensor
    except (RuntimeError, IndexError) as error:
        raise CheckpointError(
            f"tensor {name!r} of shape {tuple(tensor.shape)}"
            f" does not fit {rule.transform}; choose another importer"
        ) from error
    count = len(rule.targets)
    if count == 1:
        return [changed]
    if not changed.dim() or changed.shape[0] % count:
        raise CheckpointError(
            f"tensor {name!r} of shape {tuple(tensor.shape)}"
            f" cannot be cut in {count}; choose another importer"
        )
    return [piece.contiguous() for piece in changed.chunk(count)]


def _join(name: str, parts: Mapping[int, Tensor]) -> Tensor:
    import torch

    if sorted(parts) != list(range(len(parts))):
        raise CheckpointError(
            f"tensor {name!r} is joined from parts, of which only {sorted(parts)} are there"
        )
    try:
        return torch.cat([parts[index] for index in sorted(parts)])
    except RuntimeError as error:
        shapes = [tuple(part.shape) for part in parts.values()]
        raise CheckpointError(f"the parts of tensor {name!r} do not join: shapes {shapes}") from error


def _put(table: dict[Any, Tensor], key: str | int, tensor: Tensor, source: str) -> None:
    if key in table:
        raise CheckpointError(
            f"tensor {source!r} has the same target {str(key)!r} as another; use a plain checkpoint"
        )
    table[key] = tensor


def _is_wrapper(prefix: str, wrappers: tuple[str, ...]) -> bool:
    while prefix:
        known = next((wrapper for wrapper in wrappers if prefix.startswith(wrapper)), None)
        if known is None:
            return False
        prefix = prefix.removeprefix(known)
    return True


def _fits(found: Shape | None, wanted: tuple[int | None, ...]) -> bool:
    return (
        found is not None
        and len(found) == len(wanted)
        and all(want in (None, size) for size, want in zip(found, wanted, strict=True))
    )


def _listing(what: str, names: Iterable[str], count: int = 8) -> list[str]:
    names = list(names)
    if not names:
        return []
    rest = [f"  … and {len(names) - count} more"] if len(names) > count else []
    return [f"{len(names)} {what}:", *(f"  {name}" for name in names[:count]), *rest]
