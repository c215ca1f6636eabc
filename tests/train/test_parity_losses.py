"""Adversarial losses against reference numbers."""

from __future__ import annotations

from pathlib import Path

from dreamplate.train.losses import gan_d, gan_g, gan_term
from parity import fixture

KINDS = {"wgangp": "wgan"}


def test_parity_pix2pix_gan_loss(shared_dir: Path) -> None:
    held = fixture(shared_dir, "pix2pix_gan_loss")
    real, fake = held.given("pred_real"), held.given("pred_fake")
    for mode in held.arguments["gan_mode"]:
        kind = KINDS.get(mode, mode)
        for name, scores in (("real", real), ("fake", fake)):
            for target in ("real", "fake"):
                held.check(f"{mode}_{name}_target_{target}", gan_term(scores, target == "real", kind))
        wanted = held.tensors[f"out.{mode}_real_target_real"] + held.tensors[f"out.{mode}_fake_target_fake"]
        assert abs(gan_d(real, fake, kind) - wanted) < 2e-6
        assert abs(gan_g(fake, kind) - held.tensors[f"out.{mode}_fake_target_real"]) < 1e-6
    held.finish()
