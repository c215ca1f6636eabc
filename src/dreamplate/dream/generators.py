"""Generators: what a dream is painted with.

A generator is a `Painting`: a module without inputs that renders the pictures its parameters describe,
display-encoded in [0, 1]; the optimiser turns the parameters. Rendering small first and large later is
how a run goes from composition to detail, so every generator means the same picture at every size.

| name          | parameters                               | tiles by                  |
|---------------|------------------------------------------|---------------------------|
| `fft`         | Fourier spectrum, decorrelated colour    | being periodic already    |
| `siren`       | sine network over coordinates            | coordinates on a circle   |
| `pixels`      | Laplacian pyramid of pixels              | circular upsampling       |
| `biggan`      | latents and classes of BigGAN-deep       | circular convolutions     |
| `stylegan2`   | latents of StyleGAN2                     | circular convolutions     |
| `dvae`        | codes of a discrete VAE                  | circular convolutions     |
| `autoencoder` | Fourier spectrum of an autoencoder's latents | circular convolutions |
| `dalle`       | codes that a transformer says from words | not at all               |
"""

from __future__ import annotations

from importlib import import_module

import torch

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.painting import Painting
from dreamplate.dream.planning import prompts_of

GENERATORS: dict[str, str] = {
    "fft": "dreamplate.dream.fft:Fft",
    "siren": "dreamplate.dream.siren:Siren",
    "pixels": "dreamplate.dream.pixels:Pixels",
    "biggan": "dreamplate.dream.biggan:BigganPainting",
    "stylegan2": "dreamplate.dream.stylegan2:Stylegan2Painting",
    "dvae": "dreamplate.dream.dvae:DvaePainting",
    "autoencoder": "dreamplate.dream.autoencoder:AutoencoderPainting",
    "dalle": "dreamplate.dream.dalle:DallePainting",
}
"""Name to ``module:class``; a class takes options, size, wrapped axes, and a CPU generator a picture."""


def make_generator(config: DreamConfig, seeds: list[int], like: Painting | None = None) -> Painting:
    """Build the generator that a config names, with a picture for each seed.

    Args:
        config: Names it and its options.
        seeds: Each picture's start follows from its own.
        like: A generator of the same kind, whose network is used again instead of being read again.

    Raises:
        ModelError: Its weights are not there.
    """
    module, _, name = GENERATORS[config.generator].partition(":")
    draws = [torch.Generator().manual_seed(seed) for seed in seeds]
    shared = {"net": like.net} if like is not None and hasattr(like, "net") else {}
    cls = getattr(import_module(module), name)
    told = {"prompt": prompts_of(config)[0]} if getattr(cls, "reads_prompt", False) else {}
    made: Painting = cls(config.options, config.size, config.wrap, draws, **shared, **told)
    return made
