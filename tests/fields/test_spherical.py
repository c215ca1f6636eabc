"""Spherical harmonics: orthonormal, and what nerfstudio computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dreamplate.fields.spherical import spherical_harmonics


def test_bands_are_orthonormal_on_the_sphere() -> None:
    count = 20_000  # a Fibonacci lattice integrates low bands almost exactly
    place = torch.arange(count, dtype=torch.float64) + 0.5
    height, turn = 1 - 2 * place / count, place * (torch.pi * (1 + 5**0.5))
    flat = (1 - height**2).sqrt()
    values = spherical_harmonics(torch.stack([flat * turn.cos(), flat * turn.sin(), height], 1), 5)
    gram = values.T @ values * (4 * torch.pi / count)
    torch.testing.assert_close(gram, torch.eye(25, dtype=torch.float64), atol=1e-3, rtol=0)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4])
def test_fewer_bands_are_the_first_ones(degrees: int) -> None:
    directions = torch.nn.functional.normalize(torch.randn((7, 3)), dim=1)
    some = spherical_harmonics(directions, degrees)
    assert torch.equal(some, spherical_harmonics(directions, 5)[:, : degrees**2])


def test_there_are_no_six() -> None:
    with pytest.raises(ValueError, match="choose 1 to 5"):
        spherical_harmonics(torch.zeros((1, 3)), 6)


def test_parity_nerfstudio_sh(shared_dir: Path) -> None:
    io = load_file(shared_dir / "parity" / "nerfstudio_encodings" / "io.safetensors")
    found = spherical_harmonics(io["in.directions"], 4)
    torch.testing.assert_close(found, io["out.sh"], atol=1e-4, rtol=1e-5)


def test_parity_nerfstudio_frequency(shared_dir: Path) -> None:
    from dreamplate.fields.frequency import encode_frequencies

    io = load_file(shared_dir / "parity" / "nerfstudio_encodings" / "io.safetensors")
    mine = encode_frequencies(io["in.positions"] * 2 * torch.pi, 6)
    waves = mine[:, 3:].unflatten(1, (6, 2, 3))  # octave, sine or cosine, axis
    theirs = waves.permute(0, 2, 3, 1).flatten(1)  # sine or cosine, axis, octave
    torch.testing.assert_close(
        torch.cat([theirs, io["in.positions"]], 1), io["out.frequency"], atol=1e-4, rtol=1e-5
    )
