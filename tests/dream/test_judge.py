"""Laws of the independent judge."""

from __future__ import annotations

import pytest
import torch

from dreamplate.dream.fit_bridge import read_classes
from dreamplate.dream.judge import ImageNetJudge, JudgePrompt, as_tensor, centre_square, judge_prompts
from dreamplate.errors import MediaError, MissingExtraError
from dreamplate.plate import Plate, from_tensor


@pytest.fixture(scope="module")
def judge() -> ImageNetJudge:
    torch.set_num_threads(1)
    try:
        return ImageNetJudge()
    except MissingExtraError as error:
        pytest.skip(str(error))


def test_prompts_are_forty_and_name_what_they_accept() -> None:
    try:
        classes = read_classes()
    except MissingExtraError as error:
        pytest.skip(str(error))
    prompts = judge_prompts()
    assert len(prompts) == len({prompt.text for prompt in prompts}) == 40
    for prompt in prompts:
        assert 1 <= len(prompt.accept) <= 3
        words = set(
            prompt.text.lower().replace("daisies", "daisy").replace("strawberries", "strawberry").split()
        )
        words |= {"tusker"} if "elephant" in words else set()
        for index in prompt.accept:
            spelt = {word for name in classes[index].names for word in name.lower().split()}
            assert (words - {"a", "an"}) & spelt, (prompt.text, classes[index].names)


def test_sees_what_is_there(judge: ImageNetJudge) -> None:
    picture = torch.full((1, 3, 260, 260), 0.5, requires_grad=True)
    optimiser = torch.optim.Adam([picture], lr=0.03)
    for _ in range(8):
        optimiser.zero_grad()
        torch.autograd.backward(-judge.net(picture.clamp(0, 1))[0].log_softmax(-1)[980])
        optimiser.step()
    drawn = picture.detach().clamp(0, 1)
    p = judge.probabilities(drawn)
    assert abs(p.sum().item() - 1) < 1e-5
    assert judge(drawn, top=3)[0] == (judge.names[980], p[980].item())
    verdict = judge.verdict(drawn, JudgePrompt("a volcano", (974, 980)))
    assert verdict.rank == 1
    assert verdict.probability == pytest.approx(p[[974, 980]].sum().item())
    missed = judge.verdict(drawn, JudgePrompt("something else", (int(p.argsort(descending=True)[4]),)))
    assert missed.rank == 5
    plate = from_tensor(drawn)
    assert (judge.probabilities(plate) - p).abs().max() < 1e-3


def test_centre_square_is_centred() -> None:
    image = torch.zeros(1, 3, 40, 100)
    image[..., 30:70] = 1
    assert centre_square(image, 40).eq(1).all()
    assert centre_square(image, 20).shape == (1, 3, 20, 20)
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    small = centre_square(ramp, 16)
    assert (small[..., 0, :] - small[..., 0, :].flip(-1)).abs().max() > 0.8
    assert (small + small.flip(-1) - 1).abs().max() < 1e-4


@pytest.mark.parametrize("shape", [(4, 8, 8), (2, 3, 8, 8), (8, 8), (3, 0, 8)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MediaError, match="picture has shape"):
        as_tensor(torch.zeros(shape))


def test_plates_with_more_channels_are_judged_by_their_colour() -> None:
    import numpy as np

    pixels = np.random.default_rng(0).random((6, 7, 4), dtype=np.float32)
    plate = Plate(pixels, ("A", "B", "G", "R"), "srgb_display")
    got = as_tensor(plate)
    assert got.shape == (1, 3, 6, 7)
    np.testing.assert_allclose(got[0].permute(1, 2, 0).numpy(), pixels[:, :, [3, 2, 1]], atol=1e-6)
