"""Viewing directions as real spherical harmonics, up to five degrees.

Constants and signs are those of the usual table (Sloan, "Stupid Spherical Harmonics Tricks", 2008,
appendix A2), the Condon-Shortley phase left out, as instant-ngp, nerfstudio and Gaussian splats have them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["spherical_harmonics"]


def spherical_harmonics(directions: Float[Tensor, "n 3"], degrees: int = 4) -> Float[Tensor, "n k"]:
    """Return the first ``degrees`` bands, ``(n, degrees ** 2)``.

    Args:
        directions: Unit vectors.
        degrees: How many bands, 1 to 5: 4 gives 16 numbers.
    """
    if not 1 <= degrees <= 5:
        raise ValueError(f"degrees is {degrees}: choose 1 to 5")
    x, y, z = directions.unbind(-1)
    found = [torch.full_like(x, 0.28209479177387814)]
    if degrees > 1:
        found += [0.4886025119029199 * y, 0.4886025119029199 * z, 0.4886025119029199 * x]
    if degrees > 2:
        xx, yy, zz = x * x, y * y, z * z
        found += [
            1.0925484305920792 * x * y,
            1.0925484305920792 * y * z,
            0.31539156525252005 * (3 * zz - 1),
            1.0925484305920792 * x * z,
            0.5462742152960396 * (xx - yy),
        ]
    if degrees > 3:
        found += [
            0.5900435899266435 * y * (3 * xx - yy),
            2.890611442640554 * x * y * z,
            0.4570457994644658 * y * (5 * zz - 1),
            0.3731763325901154 * z * (5 * zz - 3),
            0.4570457994644658 * x * (5 * zz - 1),
            1.445305721320277 * z * (xx - yy),
            0.5900435899266435 * x * (xx - 3 * yy),
        ]
    if degrees > 4:
        found += [
            2.5033429417967046 * x * y * (xx - yy),
            1.7701307697799304 * y * z * (3 * xx - yy),
            0.9461746957575601 * x * y * (7 * zz - 1),
            0.6690465435572892 * y * z * (7 * zz - 3),
            0.10578554691520431 * (zz * (35 * zz - 30) + 3),
            0.6690465435572892 * x * z * (7 * zz - 3),
            0.47308734787878004 * (xx - yy) * (7 * zz - 1),
            1.7701307697799304 * x * z * (xx - 3 * yy),
            0.6258357354491761 * (xx * (xx - 3 * yy) - yy * (3 * xx - yy)),
        ]
    return torch.stack(found, -1)
