"""Checkpoints of the pix2pix family: recognised, renamed, and what is wrong with one is named."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dreamplate.errors import CheckpointError
from dreamplate.models.importer import detect, get_importer, import_state
from dreamplate.models.ingest import import_file
from dreamplate.models.pict import is_pict, read_pict
from dreamplate.models.store import Folder, Store


def unet(depth: int = 3, width: int = 2, norm: bool = True) -> dict[str, Tensor]:
    """A U-Net as its authors' program names it."""
    state: dict[str, Tensor] = {}

    def batch_norm(stem: str, channels: int) -> None:
        if norm:
            state.update({f"{stem}.{leaf}": torch.ones(channels) for leaf in ("weight", "bias")})
            state.update({f"{stem}.running_{leaf}": torch.ones(channels) for leaf in ("mean", "var")})
            state[f"{stem}.num_batches_tracked"] = torch.tensor(1)

    def conv(stem: str, *shape: int, bias: int = 0) -> None:
        state[f"{stem}.weight"] = torch.randn(shape)
        if bias and not (norm and bias < 0):
            state[f"{stem}.bias"] = torch.zeros(abs(bias))

    widths = [width * min(2**level, 8) for level in range(depth)]
    conv("model.model.0", width, 3, 4, 4, bias=-width)
    conv("model.model.3", 2 * width, 3, 4, 4, bias=3)
    prefix = "model.model.1"
    for level in range(1, depth):
        before, out, inner = widths[level - 1], widths[level], level == depth - 1
        conv(f"{prefix}.model.1", out, before, 4, 4, bias=-out)
        up = 3 if inner else 5
        conv(f"{prefix}.model.{up}", out * (1 if inner else 2), before, 4, 4, bias=-before)
        batch_norm(f"{prefix}.model.{up + 1}", before)
        if not inner:
            batch_norm(f"{prefix}.model.2", out)
            prefix = f"{prefix}.model.3"
    return state


def recognised(state: dict[str, Tensor]) -> str | None:
    found = detect({name: tuple(tensor.shape) for name, tensor in state.items()})
    return found.name if found else None


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize("norm", [True, False])
def test_a_unet_of_any_depth_under_any_wrapper(prefix: str, norm: bool) -> None:
    state = {prefix + name: tensor for name, tensor in unet(5, 2, norm).items()}
    assert recognised(state) == "pix2pix-unet"
    _, report = import_state(get_importer("pix2pix-unet"), state)
    assert report.complete and not report.unexpected
    assert (report.settings["depth"], report.settings["norm"]) == (5, "batch" if norm else "instance")


def test_the_published_unet_has_82_tensors() -> None:
    made, report = import_state(get_importer("pix2pix-unet"), unet(8, 1))
    assert len(made) == 82 and report.settings["bias"] == 0


def test_what_is_missing_or_left_over_is_reported() -> None:
    state = unet() | {"model.extra.weight": torch.zeros(1)}
    del state["model.model.1.model.2.bias"]
    _, report = import_state(get_importer("pix2pix-unet"), state)
    assert report.missing == ("down_norm.1.bias",) and report.unexpected == ("model.extra.weight",)


def test_dropout_is_read_from_the_options_beside(tmp_path: Path) -> None:
    file = tmp_path / "latest_net_G.pth"
    torch.save(unet(), file)
    store = Store([Folder(tmp_path / "models", "folder")])
    entry, _ = import_file(store, file, name="one")
    assert entry.card.settings["dropout"] == 1 and entry.card.settings["architecture"] == "pix2pix-unet"
    (tmp_path / "train_opt.txt").write_text("  no_dropout: True    \t[default: False]\n", encoding="utf-8")
    assert import_file(store, file, name="two")[0].card.settings["dropout"] == 0


def resnet(blocks: int, second: int, made: int = 3, downs: int = 2) -> dict[str, Tensor]:
    """A ResNet with batch norm; ``second`` is the place of a block's second convolution."""
    state: dict[str, Tensor] = {}

    def layer(stem: str, place: int, *shape: int, width: int) -> None:
        state[f"{stem}{place}.weight"] = torch.randn(shape)
        norm = f"{stem}{place + 1}"
        state.update(
            {
                f"{norm}.{leaf}": torch.ones(width)
                for leaf in ("weight", "bias", "running_mean", "running_var")
            }
        )
        state[f"{norm}.num_batches_tracked"] = torch.tensor(1)

    layer("model.", 1, 2, 3, 7, 7, width=2)
    for level in range(downs):
        layer("model.", 4 + 3 * level, 4 << level, 2 << level, 3, 3, width=4 << level)
    start, width = 4 + 3 * downs, 2 << downs
    for index in range(blocks):
        layer(f"model.{start + index}.conv_block.", 1, width, width, 3, 3, width=width)
        layer(f"model.{start + index}.conv_block.", second, width, width, 3, 3, width=width)
    for level in range(downs):
        layer(
            "model.",
            start + blocks + 3 * level,
            width >> level,
            width >> level + 1,
            3,
            3,
            width=width >> level + 1,
        )
    last = start + blocks + 3 * downs + 1
    state |= {f"model.{last}.weight": torch.randn(made, 2, 7, 7), f"model.{last}.bias": torch.zeros(made)}
    return state


@pytest.mark.parametrize(
    ("state", "name", "dropout"),
    [
        (resnet(6, 5), "pix2pix-resnet", 0),
        (resnet(6, 6), "pix2pix-resnet", 1),
        (resnet(9, 6, made=1), "photosketch", 0),
        (resnet(9, 5, made=1), "pix2pix-resnet", 0),
        (resnet(2, 5, downs=4), "pix2pix-resnet", 0),
    ],
    ids=["plain", "dropout", "photosketch", "grey", "global"],
)
def test_resnets_and_their_dropout(state: dict[str, Tensor], name: str, dropout: int, tmp_path: Path) -> None:
    assert recognised(state) == name
    _, report = import_state(get_importer(name), state, tmp_path / "latest_net_G.pth")
    assert report.complete and not report.unexpected and report.settings["dropout"] == dropout


# .pict


def pict(listed: Any, values: bytes | None = None, codes: bytes = b"\0" * 6, more: bytes = b"") -> bytes:
    first = listed if isinstance(listed, bytes) else json.dumps(listed).encode()
    values = struct.pack("<256f", *range(256)) if values is None else values
    return b"".join(struct.pack(">I", len(part)) + part for part in (first, values, codes)) + more


LIST = [{"name": "a", "shape": [2, 2]}, {"name": "b", "shape": [2]}]


def test_a_pict_is_read_in_the_order_of_its_list(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(pict(LIST, codes=bytes([0, 1, 2, 255, 4, 5])))
    assert is_pict(file)
    state = read_pict(file)
    assert state["a"].tolist() == [[0, 1], [2, 255]] and state["b"].tolist() == [4, 5]


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "ends before its list"),
    "cut": (pict(LIST)[:-3], "should have 6 bytes, of which 3"),
    "longer": (pict(LIST, more=b"xy"), "2 bytes follow"),
    "huge list": (struct.pack(">I", 0xFFFFFFFF) + b"[", "should have 4294967295 bytes"),
    "no json": (pict(b"[{]"), "is no JSON"),
    "deep": (pict(b"[" * 200_000), "is no JSON"),
    "no list": (pict({"name": "a"}), "is none"),
    "no entry": (pict([]), "has not 1 to"),
    "no name": (pict([{"shape": [6]}]), "has no name"),
    "twice": (pict([{"name": "a", "shape": [3]}] * 2), "is there already"),
    "negative": (pict([{"name": "a", "shape": [-2, -3]}]), "which is none"),
    "real": (pict([{"name": "a", "shape": [6.0]}]), "which is none"),
    "true": (pict([{"name": "a", "shape": [True, 6]}]), "which is none"),
    "too many": (pict([{"name": "a", "shape": [1 << 23, 1 << 23, 1 << 23]}]), "needs"),
    "table": (pict(LIST, values=b"\0" * 1020), "has 1020 bytes, not 1024"),
    "not finite": (pict(LIST, values=struct.pack("<256f", *[float("nan")] * 256)), "not finite"),
}


@pytest.mark.parametrize("name", BAD)
def test_hostile_picts_are_one_line(name: str, tmp_path: Path) -> None:
    content, message = BAD[name]
    file = tmp_path / "bad.pict"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_pict(file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(CheckpointError):
        import_file(Store([Folder(tmp_path / "models", "folder")]), file)


def test_other_files_are_no_picts(tmp_path: Path) -> None:
    for index, content in enumerate((b"", b"[1, 2]", b"\x80\x02.", b"\0\0\0\2[]\0\0\0\7", b"PK\3\4")):
        file = tmp_path / str(index)
        file.write_bytes(content)
        assert not is_pict(file)
