"""From kept examples to the batch of a step: the same geometry for every part, then colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dreamplate.errors import MediaError
from dreamplate.train.batch import Batch
from dreamplate.train.data.geometry import Place, view_ids, view_picture
from dreamplate.train.data.jitter import colour_jitter
from dreamplate.train.data.prepare import Prepared, unpack
from dreamplate.train.data.words import mirrored
from dreamplate.train.port import Port

__all__ = ["assemble", "check_one_size"]


def check_one_size(sizes: Sequence[tuple[int, int]], names: Sequence[str]) -> None:
    """Refuse pictures that cannot lie side by side.

    Raises:
        MediaError: Two differ in size; names both.
    """
    for size, name in zip(sizes, names, strict=True):
        if size != sizes[0]:
            raise MediaError(
                f"{name}: is {size[1]}x{size[0]}, {names[0]} is {sizes[0][1]}x{sizes[0][0]}; cut them to one "
                "size with --source.crop"
            )


def assemble(
    found: Sequence[Prepared],
    places: Sequence[Place],
    names: Sequence[str],
    given: Port | None,
    colour: tuple[float, Tensor] | None = None,
) -> Batch:
    """Return a batch of what each place shows of each example; of mirrored ones, words change sides as well.

    Args:
        found: The examples; all have the same parts.
        places: What is seen of each.
        names: Of the examples.
        given: Port of the condition.
        colour: Strength of the colour changes of conditions, and ``(n, 3)`` numbers in [0, 1).

    Raises:
        MediaError: Sizes differ.
    """
    check_one_size([(place.height, place.width) for place in places], names)
    most = max((len(parts.images) for parts in found), default=0)

    targets = None
    if most:
        # Where an example has fewer answers than others, its own come again.
        answers = [_pictures([p.images[k % len(p.images)] for p in found], places) for k in range(most)]
        targets = torch.stack([answer for answer in answers if answer is not None], dim=1)
    condition = _pictures([parts.condition for parts in found], places)
    if condition is not None and given is not None and colour is not None:
        condition = colour_jitter(condition, colour[1], colour[0], given)
    weight = None
    if any(parts.weight is not None for parts in found):
        weight = torch.stack([_weight(parts, place) for parts, place in zip(found, places, strict=True)])
    return Batch(
        image=torch.empty(len(found), 0, *_size(places)) if targets is None else targets[:, 0].contiguous(),
        condition=condition,
        labels=_ids([parts.labels for parts in found], places),
        instances=_ids([parts.instances for parts in found], places),
        targets=targets if most > 1 else None,
        weight=weight,
        names=tuple(names),
        texts=_texts(found, places) if any(parts.texts for parts in found) else (),
        facts=_facts(found, places) if any(parts.facts for parts in found) else (),
    )


def _texts(found: Sequence[Prepared], places: Sequence[Place]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(map(mirrored, parts.texts)) if place.flip else parts.texts
        for parts, place in zip(found, places, strict=True)
    )


def _facts(found: Sequence[Prepared], places: Sequence[Place]) -> tuple[Mapping[str, str], ...]:
    return tuple(
        {name: mirrored(value) for name, value in parts.facts.items()} if place.flip else parts.facts
        for parts, place in zip(found, places, strict=True)
    )


def _size(places: Sequence[Place]) -> tuple[int, int]:
    return (places[0].height, places[0].width) if places else (0, 0)


def _pictures(parts: Sequence[Tensor | None], places: Sequence[Place]) -> Tensor | None:
    seen = [_seen(part, place) for part, place in zip(parts, places, strict=True) if part is not None]
    return torch.stack(seen) if seen and len(seen) == len(parts) else None


def _ids(parts: Sequence[Tensor | None], places: Sequence[Place]) -> Tensor | None:
    seen = [view_ids(part, place) for part, place in zip(parts, places, strict=True) if part is not None]
    return torch.stack(seen).long() if seen and len(seen) == len(parts) else None


def _seen(part: Tensor, place: Place) -> Tensor:
    if place.zoom == 1 and place.angle == 0:
        return unpack(view_picture(part, place))  # cutting and mirroring are cheaper on small types
    return view_picture(unpack(part), place)


def _weight(parts: Prepared, place: Place) -> Tensor:
    if parts.weight is None:  # everything counts
        return torch.ones(1, place.height, place.width)
    return view_picture(parts.weight.float(), place)
