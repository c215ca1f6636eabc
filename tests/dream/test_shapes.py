"""Every call made by a test has its tensor shapes checked, and nothing is checked outside tests."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from jaxtyping import TypeCheckError

from dreamplate.dream.colour_basis import from_display, to_display
from dreamplate.dream.config import DreamConfig
from dreamplate.dream.cutouts import full_view, take_cuts
from dreamplate.dream.fft import resize_spectrum
from dreamplate.dream.finish import blur, sharpen
from dreamplate.dream.generators import GENERATORS, make_generator
from dreamplate.dream.losses import Wanted, agreement, roughness, want
from dreamplate.dream.natural import moments
from dreamplate.dream.pixels import enlarge
from dreamplate.nets.efficientnet_lite import fold_batchnorm

NO_WRAP = (False, False)
PICTURE = torch.full((1, 3, 24, 32), 0.5)
WANTED = want(torch.eye(4)[:2], [1.0, 1.0], [False, False])


WRONG: dict[str, Callable[[], Any]] = {
    "take_cuts: picture without its first axis": lambda: take_cuts(PICTURE[0], full_view(), 8),
    "take_cuts: two pictures": lambda: take_cuts(PICTURE.expand(2, -1, -1, -1), full_view(), 8),
    "take_cuts: picture with alpha": lambda: take_cuts(torch.ones(1, 4, 24, 32), full_view(), 8),
    "take_cuts: whole numbers": lambda: take_cuts(PICTURE.to(torch.uint8), full_view(), 8),
    "Cuts: fields of different lengths": lambda: dataclasses.replace(full_view(3), size=torch.ones(2)),
    "Cuts: no vertical centre": lambda: dataclasses.replace(full_view(3), centre=torch.ones(3, 1)),
    "Cuts: seeds that are no whole numbers": lambda: dataclasses.replace(
        full_view(), noise_seed=torch.ones(1)
    ),
    "agreement: one vector without its axis": lambda: agreement(torch.ones(4), WANTED),
    "agreement: a batch of batches": lambda: agreement(torch.ones(2, 3, 4), WANTED),
    "Wanted: fewer weights than vectors": lambda: Wanted(
        torch.eye(4)[:2], torch.ones(1), torch.zeros(2, dtype=torch.bool)
    ),
    "Wanted: avoid as numbers": lambda: Wanted(torch.eye(4)[:2], torch.ones(2), torch.zeros(2)),
    "roughness: picture without its first axis": lambda: roughness(PICTURE[0]),
    "sharpen: picture without its first axis": lambda: sharpen(PICTURE[0], 1.0),
    "sharpen: no amount, wrong all the same": lambda: sharpen(PICTURE[:, :1], 0.0),
    "blur: picture without its first axis": lambda: blur(PICTURE[0], 1.0, NO_WRAP),
    "moments: features without their places": lambda: moments(torch.ones(2, 8)),
    "to_display: two planes": lambda: to_display(PICTURE[:, :2]),
    "from_display: picture without its first axis": lambda: from_display(PICTURE[0]),
    "enlarge: planes without their first axis": lambda: enlarge(PICTURE[0], (48, 64), NO_WRAP),
    "resize_spectrum: not complex": lambda: resize_spectrum(torch.ones(1, 3, 8, 5), 4, 4, 8),
    "resize_spectrum: of another height": lambda: resize_spectrum(
        torch.fft.rfft2(torch.ones(1, 3, 8, 8)), 8, 8, 9
    ),
    "fold_batchnorm: of another width": lambda: fold_batchnorm(torch.ones(4, 3, 1, 1), [torch.ones(5)] * 4),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_shapes_are_refused(case: str) -> None:
    with pytest.raises(TypeCheckError):
        WRONG[case]()


@pytest.mark.parametrize("name", sorted(set(GENERATORS) - {"autoencoder"}))
@pytest.mark.parametrize("shape", [(3, 24, 32), (1, 4, 24, 32)])
def test_generators_paint_nothing_but_a_picture(name: str, shape: tuple[int, ...]) -> None:
    generator = make_generator(DreamConfig(size=(32, 24), generator=name), [0])  # type: ignore[arg-type]
    with pytest.raises(TypeCheckError):
        generator.paint(torch.full(shape, 0.5))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_any_precision_is_welcome(dtype: torch.dtype) -> None:
    assert roughness(PICTURE.to(dtype)).dtype == dtype
    assert sharpen(PICTURE.to(dtype), 0.0).dtype == dtype


def test_a_result_of_another_size_than_asked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = make_generator(DreamConfig(size=(32, 24), generator="fft"), [0])
    assert generator(16, 12).shape == (1, 3, 12, 16)
    monkeypatch.setattr(generator, "_canvas_for", lambda width, height: (8, 8))
    with pytest.raises(TypeCheckError, match="return value"):
        generator(16, 12)


def test_nothing_is_checked_outside_tests() -> None:
    code = (
        "import torch; from dreamplate.dream.losses import roughness;"
        "print(float(roughness(torch.ones(2, 5, 4, 4)).sum()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "0.0"
