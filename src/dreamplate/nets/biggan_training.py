"""What training a BigGAN-deep takes besides the network: spectral norms, and statistics at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.nets.biggan import Biggan
from dreamplate.nets.biggan_layers import MOMENTUM, Norm


def add_spectral_norm(net: nn.Module) -> nn.Module:
    """Divide all weights but class embeddings by their largest singular values while training (in place)."""
    for name, part in net.named_modules():
        if isinstance(part, nn.Linear | nn.Conv2d) and name != "embeddings":
            nn.utils.parametrizations.spectral_norm(part, eps=1e-12)
    return net


def fold_spectral_norm(net: nn.Module) -> nn.Module:
    """Make the weights of `add_spectral_norm` plain again, at the values they have now (in place)."""
    training = net.training
    net.eval()  # in training mode a last look at a weight would move its singular vectors
    for part in net.modules():
        if nn.utils.parametrize.is_parametrized(part, "weight"):
            nn.utils.parametrize.remove_parametrizations(part, "weight")
    return net.train(training)


@torch.no_grad()
def collect_statistics(net: Biggan, conditions: Mapping[float, Sequence[Float[Tensor, "n d"]]]) -> None:
    """Fill the statistics tables by running batches ("standing statistics", appendix D of the paper).

    Args:
        net: The network.
        conditions: For each truncation, batches of conditions whose latents were drawn at it. Truncations are
            rounded to the nearest row; rows between those given are interpolated.
    """
    norms = [part for part in net.modules() if isinstance(part, Norm)]
    last, training = net.shape.stats - 1, net.training
    known: dict[int, list[tuple[Tensor, Tensor]]] = {}
    net.train()
    for norm in norms:
        norm.momentum = 1.0  # tables then hold the statistics of the last batch alone
    for truncation, batches in conditions.items():
        seen = []
        for batch in batches:
            net(batch)
            seen.append([(norm.running_means[0].clone(), norm.running_vars[0].clone()) for norm in norms])
        known[round(truncation * last)] = [
            (torch.stack([mean for mean, _ in found]).mean(0), torch.stack([var for _, var in found]).mean(0))
            for found in zip(*seen, strict=True)
        ]
    net.train(training)
    rows = sorted(known)
    for index, norm in enumerate(norms):
        norm.momentum = MOMENTUM
        for row in range(last + 1):
            low = max((r for r in rows if r <= row), default=rows[0])
            high = min((r for r in rows if r >= row), default=rows[-1])
            share = (row - low) / (high - low) if high > low else 0.0
            for table, part in ((norm.running_means, 0), (norm.running_vars, 1)):
                table[row] = torch.lerp(known[low][index][part], known[high][index][part], share)
