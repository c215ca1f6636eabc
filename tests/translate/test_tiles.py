"""Tiles: a frame cut up and joined is the frame; statistics and noise are those of the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dreamplate.errors import ConfigError, ModelError, ResourceError
from dreamplate.nets.dropout import Dropout
from dreamplate.nets.statistics import BatchNorm, InstanceNorm
from dreamplate.plate import LabelClass, Palette
from dreamplate.train import Port
from dreamplate.translate.apply import Translator, usual_statistics
from dreamplate.translate.given import Given, Window
from dreamplate.translate.memory import peak_bytes
from dreamplate.translate.model import Model
from dreamplate.translate.noise import PlacedNoise
from dreamplate.translate.pix2pixhd import Pix2pixhd
from dreamplate.translate.resnet import Resnet
from dreamplate.translate.shots_net import ShotsNet
from dreamplate.translate.spade import Spade, SpadeShape
from dreamplate.translate.tiles import Cutting, blend, cut_up, largest_window, smallest_window
from dreamplate.translate.unet import Unet

PALETTE = Palette(tuple(LabelClass(number, f"class {number}") for number in range(4)), unknown=(255,))
LABELS = Port("labels", ("Y",), palette=PALETTE)


def fill(network: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights and running statistics, so that nothing is 0 or 1 by accident."""
    draws = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            spread = torch.rand(value.shape, generator=draws)
            fresh = spread + 0.5 if "var" in name or name.endswith("norm.weight") else (spread - 0.5) * 0.4
            value.copy_(fresh)
    return network.eval().requires_grad_(False)


def model(network: nn.Module, port: Port | None = None, seed: int = 0, **notes: Any) -> Model:
    return Model(fill(network, seed), {"architecture": "toy"}, port or Port(), Port(), notes)


def picture(height: int, width: int, seed: int = 0) -> Given:
    draws = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, -(-height // 8), -(-width // 8), generator=draws) * 2 - 1
    return Given(picture=nn.functional.interpolate(small, scale_factor=8)[..., :height, :width])


def label_map(height: int, width: int, seed: int = 0) -> Given:
    draws = torch.Generator().manual_seed(seed)
    small = torch.randint(5, (1, -(-height // 16), -(-width // 16)), generator=draws)
    labels = small.repeat_interleave(16, 1).repeat_interleave(16, 2)[:, :height, :width]
    return Given(labels=labels)


class Toy(nn.Module):
    """Fully convolutional, with a stride, a norm of each kind and dropout; its reach is exact."""

    z_dim, multiple, reach = 0, 4, 20

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 6, 4, 4)
        self.norm, self.batch, self.drop = InstanceNorm(6), BatchNorm(6), Dropout(0.5)
        self.middle, self.up = nn.Conv2d(6, 6, 3, padding=1), nn.ConvTranspose2d(6, 6, 8, 4, 2)
        self.last = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.drop(torch.relu(self.norm(self.down(x))))
        h = torch.relu(self.batch(self.middle(h)))
        return torch.tanh(self.last(self.up(h)))


# -- cutting and joining ----------------------------------------------------------------------------


@given(
    units=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    multiple=st.sampled_from([1, 4, 32]),
    reach=st.integers(0, 50),
    extra=st.tuples(st.integers(0, 60), st.integers(0, 60)),
)
@settings(max_examples=60, deadline=None)
def test_what_is_cut_and_joined_is_the_frame(
    units: tuple[int, int], multiple: int, reach: int, extra: tuple[int, int]
) -> None:
    cutting, size = Cutting.of(multiple, reach), (units[0] * multiple, units[1] * multiple)
    window = tuple(smallest_window(cutting) + more // multiple * multiple for more in extra)
    frame, out = torch.rand(1, 2, *size), torch.zeros(1, 2, *size)
    for tile in cut_up(size, (window[0], window[1]), cutting):
        seen, kept = tile.window, tile.kept
        assert not any(side % multiple for side in seen) and seen.height <= window[0] >= 1
        for inner, outer, length in (
            (kept[:2], seen[:2], size[0]),
            (kept[2:], seen[2:], size[1]),
        ):
            assert outer[0] == 0 or inner[0] - outer[0] >= reach
            assert outer[1] == length or outer[1] - inner[1] >= reach
        blend(out, frame[..., seen.top : seen.bottom, seen.left : seen.right], tile, cutting.fade)
    torch.testing.assert_close(out, frame, rtol=0, atol=1e-6)


def test_windows_have_no_more_pixels_than_allowed() -> None:
    cutting = Cutting.of(8, 20)
    for size in ((4000, 400), (80, 4000), (1600, 1600)):
        height, width = largest_window(size, 500 * 500, cutting)
        assert height * width <= 500 * 500 and height <= size[0] and width <= size[1]
        assert height * width > 0.5 * 500 * 500 or (height, width) == size
    assert largest_window((800, 800), 1, cutting) == (smallest_window(cutting),) * 2


@given(height=st.integers(1, 70), width=st.integers(1, 70))
@settings(max_examples=30, deadline=None)
def test_padding_mirrors_pictures_and_holds_labels(height: int, width: int) -> None:
    whole, labels = picture(height, width).padded(32), label_map(height, width).padded(32)
    assert whole.picture is not None and labels.labels is not None
    assert not (whole.size[0] % 32 or whole.size[1] % 32)
    assert whole.size[0] - height < 32 and whole.size[1] - width < 32
    assert torch.equal(whole.picture[..., :height, :width], picture(height, width).picture)  # type: ignore[arg-type]
    if whole.size[1] > width > 1:
        assert torch.equal(whole.picture[..., width], whole.picture[..., width - 2])
    if whole.size[0] > height:
        assert torch.equal(labels.labels[:, height], labels.labels[:, height - 1])


# -- tiles and the whole ----------------------------------------------------------------------------

NETWORKS: dict[str, tuple[Callable[[], nn.Module], Port, int]] = {
    "toy": (Toy, Port(), 64),
    "resnet": (lambda: Resnet(width=4, blocks=1, norm="batch"), Port(), 128),
    "resnet-instance": (lambda: Resnet(width=4, blocks=1, norm="instance"), Port(), 128),
    "shots": (lambda: ShotsNet(width=4, blocks=1, guides=3), Port(), 128),
    "pix2pixhd": (lambda: Pix2pixhd(3, width=2, downs=1, blocks=1, local_blocks=1), Port(), 64),
    "spade": (lambda: Spade(SpadeShape(entry=5, width=2, hidden=4)), LABELS, 1),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_with_frozen_statistics_are_the_whole(name: str) -> None:
    build, port, tile = NETWORKS[name]
    made = model(build(), port)
    cutting = Cutting.of(made.network.multiple, made.network.reach)  # type: ignore[arg-type]
    tile = max(tile, smallest_window(cutting))
    size = (60, tile + 40)
    frame = picture(*size) if port.kind == "picture" else label_map(*size)
    reference = picture(90, 70, 5) if port.kind == "picture" else label_map(90, 70, 5)
    one, many = Translator(made, statistics="frozen"), Translator(made, statistics="frozen", tile=tile)
    one.hold(reference)
    whole = one(frame)
    many.hold(reference)
    assert len(cut_up(frame.padded(one.multiple).size, (tile, tile), cutting)) > 1
    torch.testing.assert_close(many(frame), whole, rtol=0, atol=2e-5)
    assert whole.shape == (1, 3, *size) and float(whole.std()) > 0.01


def test_style_that_begins_with_a_picture_is_laid_over_the_whole_frame() -> None:
    shape = SpadeShape(entry=5, width=2, hidden=4, z_dim=6, noise="start", start_height=2, start_width=2)
    made = model(Spade(shape), LABELS)
    cutting = Cutting.of(made.network.multiple, made.network.reach)  # type: ignore[arg-type]
    frame, z = label_map(96, smallest_window(cutting) + 200), torch.randn(1, 6)
    whole = Translator(made)(frame, z)
    tiled = Translator(made, tile=smallest_window(cutting))(frame, z)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=2e-5)


def test_dropout_is_the_same_in_tiles_and_in_every_frame() -> None:
    made = model(Toy())
    frame = picture(70, 130)

    def use(**options: Any) -> Tensor:
        translator = Translator(made, statistics="frozen", dropout=True, **options)
        translator.hold(picture(64, 64))
        return translator(frame)

    whole = use(seed=3)
    torch.testing.assert_close(use(seed=3, tile=100), whole, rtol=0, atol=2e-5)
    assert torch.equal(use(seed=3), whole)
    assert not torch.equal(use(seed=4), whole)


def test_noise_belongs_to_places() -> None:
    noise = PlacedNoise(1, 4)
    whole = noise.at(Window(0, 600, 0, 520)).uniform((1, 2, 150, 130))
    part = noise.at(Window(200, 320, 240, 520)).uniform((1, 2, 30, 70))
    assert torch.equal(part, whole[..., 50:80, 60:])
    assert not torch.equal(noise.uniform((1, 2, 30, 70)), part)
    assert 0 <= float(whole.min()) < float(whole.max()) < 1


# -- statistics -------------------------------------------------------------------------------------


def test_statistics_are_a_choice() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), BatchNorm(3))
    network.multiple, network.reach = 1, 0  # type: ignore[assignment]
    made, frame = model(network), picture(16, 24)
    one = {kind: Translator(made, statistics=kind)(frame) for kind in ("batch", "picture", "running")}
    torch.testing.assert_close(one["batch"], one["picture"])
    assert not torch.allclose(one["batch"], one["running"], atol=1e-2)
    held = Translator(made, statistics="frozen")
    with pytest.raises(ConfigError, match="--reference"):
        held(frame)
    held.hold(frame)
    torch.testing.assert_close(held(frame), one["batch"], rtol=0, atol=1e-5)
    # Frozen means that the same pixel becomes the same pixel in every frame.
    torch.testing.assert_close(held(frame.cut(Window(4, 12, 8, 20))), held(frame)[..., 4:12, 8:20])


def test_usual_statistics_follow_from_training() -> None:
    def usual(architecture: str, **notes: Any) -> str:
        return usual_statistics(Model(nn.Identity(), {"architecture": architecture}, Port(), Port(), notes))

    assert usual("pix2pix-unet") == "picture"
    assert usual("pix2pix-unet", training={"learn": {"batch": 4}}) == "running"
    assert usual("pix2pix-unet", statistics="running") == "running"
    assert usual("spade") == "running"


def test_tiles_of_a_picture_have_the_statistics_of_the_picture() -> None:
    """Half dark, half bright: by their own statistics tiles would all be alike."""
    made = model(Toy(), seed=2)
    frame = Given(
        picture=torch.cat(
            [torch.full((1, 3, 64, 96), v) + picture(64, 96).picture * 0.1 for v in (-0.8, 0.8)], 3
        )
    )
    whole, tiled = (Translator(made, statistics="picture", tile=t)(frame) for t in (0, 100))
    torch.testing.assert_close(tiled, whole, rtol=0, atol=2e-5)


# -- memory -----------------------------------------------------------------------------------------


def test_memory_is_counted_while_tensors_live() -> None:
    def chain() -> Tensor:
        x = torch.zeros(1, 8, 100, 100)
        for _ in range(5):
            x = torch.relu(x)
        return x

    def skips() -> list[Tensor]:
        kept = [torch.zeros(1, 8, 100, 100)]
        for _ in range(5):
            kept.append(torch.relu(kept[-1]))
        kept[-1].view(-1).add_(1)
        return kept

    one = 8 * 100 * 100 * 4 * 1.5
    assert (peak_bytes(chain) / one, peak_bytes(skips) / one) == (2, 6)


def test_tiles_follow_from_memory() -> None:
    made = model(Resnet(width=4, blocks=1, norm="batch"))
    frame = picture(400, 700)
    sizes: list[int] = []
    made.network.register_forward_pre_hook(
        lambda _, given: sizes.append(given[0].shape[2] * given[0].shape[3])
    )
    whole = Translator(made)(frame)
    assert sizes[-1] == 400 * 700
    sizes.clear()
    tiled = Translator(made, memory=12 << 20)
    torch.testing.assert_close(tiled(frame), whole, rtol=0, atol=2e-5)
    assert tiled.cost is not None and max(sizes) * tiled.cost <= 12 << 20
    assert max(sizes) > 0.3 * (12 << 20) / tiled.cost


def test_tiles_halve_when_memory_runs_out_and_it_is_said_once() -> None:
    made = model(Toy())
    frame, said = picture(256, 512), []
    whole = Translator(made, statistics="picture")(frame)

    def refuse(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        if given[0].shape[2] * given[0].shape[3] > 20_000:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = made.network.register_forward_pre_hook(refuse)
    translator = Translator(made, statistics="running", say=said.append)
    made_anyway = translator(frame)
    assert made_anyway.shape == whole.shape and len(said) == 1 and "halved" in said[0]
    translator(frame)
    assert len(said) == 1
    hook.remove()
    made.network.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(ResourceError, match="the least this network needs"):
        translator(frame)


def test_other_failures_are_not_taken_for_memory() -> None:
    made = model(Toy())
    made.network.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        Translator(made)(picture(16, 16))


def test_a_tile_too_small_for_the_network_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tile is 100: this network sees 256 pixels around.*768 or more"):
        Translator(model(Unet(depth=8, width=1)), tile=100)


def test_a_model_of_noise_alone_has_nothing_to_translate() -> None:
    with pytest.raises(ModelError, match="noise alone"):
        Translator(Model(Toy(), {}, None, Port()))


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (257, 31)])
def test_any_size_comes_back_as_it_was(size: tuple[int, int]) -> None:
    made = Translator(model(Unet(depth=5, width=2)))(picture(*size))
    assert made.shape == (1, 3, *size) and bool(made.isfinite().all())
