"""dalle-mini: encoder, decoder and VQGAN against a plain twin, words in pieces, drawing, refusals."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import pytest
import torch
import toy_mini
from torch import Tensor
from toy_mini import CELLS, CODES, INPUTS, LENGTH, MERGES, PIECES

from dreamplate.errors import CheckpointError, ConfigError, ModelError
from dreamplate.models.ingest import import_file
from dreamplate.models.store import Folder, Store
from dreamplate.tokens.codec import Codec
from dreamplate.tokens.dalle_sample import FREE, Manner, sample_wide
from dreamplate.tokens.mini import DalleMini
from dreamplate.tokens.mini_load import is_mini, load_mini
from dreamplate.tokens.mini_sample import sample_mini
from dreamplate.tokens.mini_shape import MiniShape
from dreamplate.tokens.mini_vqgan import Vqgan
from dreamplate.tokens.mini_words import Pieces
from dreamplate.tokens.sampling import choose, guided

Nets = tuple[DalleMini, Vqgan]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_mini.write(tmp_path_factory.mktemp("mini"), toy_mini.parts())


@pytest.fixture(scope="module")
def nets(folder: Path) -> Nets:
    return load_mini(str(folder))


def pieces() -> Pieces:
    table = json.dumps({piece: number for number, piece in enumerate(PIECES)})
    return Pieces.unpack(_bytes(table), _bytes(MERGES), LENGTH, len(PIECES))


def _bytes(text: str) -> Tensor:
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


def texts(*lines: str) -> Tensor:
    return torch.stack([pieces().encode(line) for line in lines])


def codes(*shape: int, seed: int = 5) -> Tensor:
    return torch.randint(CODES, shape, generator=torch.Generator().manual_seed(seed))


class TestTwin:
    @pytest.mark.parametrize("scales", [True, False])
    def test_encoder_and_decoder_agree(self, scales: bool, tmp_path: Path) -> None:
        files = toy_mini.parts(scales=scales)
        net, _ = load_mini(str(toy_mini.write(tmp_path, files)))
        text = texts("a red barn", "sea, fog and a lot more than fits", "")
        words = net.encode(text)
        inputs = torch.cat([torch.full((3, 1), INPUTS - 1), codes(3, CELLS - 1)], dim=1)
        scores = net.scores(inputs, net.hear(text))
        for row in range(3):
            plain = toy_mini.plain_encoder(files["encoder"], text[row])
            assert (words[row] - plain).abs().max() < 1e-4
            told = toy_mini.plain_decoder(files["decoder"], inputs[row], plain, text[row])
            assert told.std() > 0.5
            assert (scores[row] - told).abs().max() < 1e-4

    @pytest.mark.parametrize("steps", [[1] * CELLS, [5, 1, 7, 3], [CELLS]])
    def test_cache_changes_nothing(self, nets: Nets, steps: list[int]) -> None:
        net, _ = nets
        heard = net.hear(texts("a red barn", "fog"))
        inputs = torch.cat([torch.full((2, 1), INPUTS - 1), codes(2, CELLS - 1)], dim=1)
        cache, found = net.cache(2), []
        for place, stop in itertools.pairwise(itertools.accumulate(steps, initial=0)):
            found.append(net.scores(inputs[:, place:stop], heard, cache, place))
        assert (torch.cat(found, 1) - net.scores(inputs, heard)).abs().max() < 1e-4

    @pytest.mark.parametrize("shape", [(4, 4), (3, 5)])
    def test_vqgan_agrees(self, nets: Nets, shape: tuple[int, int]) -> None:
        cells = codes(2, *shape)
        features = (nets[1].book[cells] + nets[1].offset).permute(0, 3, 1, 2)
        made, clipped = nets[1].from_features(features), nets[1].decode(cells)
        assert made.shape == (2, 3, shape[0] * 4, shape[1] * 4)
        for row in range(2):
            plain = toy_mini.plain_vqgan(toy_mini.vqgan(3), cells[row])
            assert plain.std() > 0.1
            assert (made[row] - plain).abs().max() < 1e-4
            assert (clipped[row] - plain.clamp(0, 1)).abs().max() < 1e-4

    def test_pads_are_not_heard(self, nets: Nets) -> None:
        net, text = nets[0], texts("red barn")
        held = int((text != 1).sum())
        words = net.encode(text)
        changed = net.encoder.embed_positions.weight.clone()
        changed[held:] += 1
        other = dataclasses.replace(net.shape)
        again = DalleMini(other)
        again.load_state_dict(net.state_dict() | {"encoder.embed_positions.weight": changed})
        inputs = torch.full((1, 1), INPUTS - 1)
        assert not torch.equal(words[:, held:], again.encode(text)[:, held:])
        assert torch.allclose(words[:, :held], again.encode(text)[:, :held], atol=1e-5)
        assert torch.allclose(
            net.scores(inputs, net.hear(text)), again.scores(inputs, again.hear(text)), atol=1e-4
        )

    def test_codes_later_on_are_not_seen(self, nets: Nets) -> None:
        net, heard = nets[0], nets[0].hear(texts("fog"))
        inputs, other = codes(1, CELLS), codes(1, CELLS)
        other[:, 9:] = codes(1, CELLS, seed=8)[:, 9:]
        first, second = net.scores(inputs, heard), net.scores(other, heard)
        assert torch.allclose(first[:, :9], second[:, :9], atol=1e-5)
        assert not torch.allclose(first[:, 9:], second[:, 9:], atol=1e-2)


class TestWords:
    @pytest.mark.parametrize(
        ("text", "cut"),
        [
            ("Red  barn", ["Ġred", "Ġbarn"]),
            ("bar, ed", ["Ġbar", ",", "Ġ", "ed"]),
            ("bread", ["Ġb", "r", "e", "a", "d"]),
            ("ÉD", ["Ġ", "ed"]),
            ("  ", []),
        ],
    )
    def test_merges_in_their_order(self, text: str, cut: list[str]) -> None:
        assert pieces().cut(text) == cut

    def test_ends_and_pads(self) -> None:
        number = {piece: index for index, piece in enumerate(PIECES)}
        row = pieces().encode("red barn?").tolist()
        assert row == [0, number["Ġred"], number["Ġbarn"], number["<unk>"], 2, *[1] * (LENGTH - 5)]
        assert pieces().encode("").tolist() == [0, 2, *[1] * (LENGTH - 2)]

    def test_what_does_not_fit_is_said_and_the_end_is_kept(self) -> None:
        text = "red " * 20
        assert pieces().encode(text).tolist()[-2:] == [PIECES.index("Ġred"), 2]
        assert "too long" in pieces().notices(text)[0]
        assert pieces().notices("red") == ()
        assert "'雨'" in pieces().notices("red 雨")[0]

    def test_endless_texts_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="10,001"):
            pieces().encode("a" * 10_001)

    @pytest.mark.parametrize(
        "table", ["[1, 2]", "{", "null", '{"<s>": 0}', json.dumps({**dict.fromkeys(PIECES, 1), "x": 10**9})]
    )
    def test_damaged_tables_are_refused(self, table: str) -> None:
        with pytest.raises(CheckpointError, match=r"vocab\.json"):
            Pieces.unpack(_bytes(table), _bytes(MERGES), LENGTH, len(PIECES))

    def test_damaged_merges_are_refused(self) -> None:
        table = json.dumps({piece: number for number, piece in enumerate(PIECES)})
        with pytest.raises(CheckpointError, match="a b c"):
            Pieces.unpack(_bytes(table), _bytes("#version: 0.2\na b c\n"), LENGTH, len(PIECES))


class TestDrawing:
    MANNER = Manner(guidance=3.0, temperature=0.7, top_k=9, top_p=0.9)

    def test_the_same_as_running_again_for_each_code(self, nets: Nets) -> None:
        net = nets[0]
        text, uniform = (
            texts("a red barn", "fog"),
            torch.rand(2, CELLS, generator=torch.Generator().manual_seed(1)),
        )
        found = sample_mini(net, text, uniform, self.MANNER)
        inputs = torch.full((2, 1), INPUTS - 1)
        for cell in range(CELLS):
            told, untold = (net.scores(inputs, net.hear(what))[:, -1] for what in (text, texts("", "")))
            drawn = choose(guided(told, untold, 3.0), uniform[:, cell], 0.7, 9, 0.9)
            inputs = torch.cat([inputs, drawn[:, None]], dim=1)
        assert torch.equal(found, inputs[:, 1:])
        assert found.max() < CODES

    def test_given_codes_stay_and_batches_do_not_matter(self, nets: Nets) -> None:
        text, uniform = (
            texts("red", "red", "fog"),
            torch.rand(3, CELLS, generator=torch.Generator().manual_seed(1)),
        )
        given = torch.full((3, CELLS), FREE)
        given[:, 3:6] = 7
        found = sample_mini(nets[0], text, uniform, self.MANNER, given=given)
        alone = sample_mini(nets[0], text[1:2], uniform[1:2], self.MANNER, given=given[1:2])
        assert (found[:, 3:6] == 7).all()
        assert torch.equal(found[1:2], alone)

    def test_words_change_pictures(self, nets: Nets) -> None:
        uniform = torch.full((2, CELLS), 0.5)
        red, fog = sample_mini(nets[0], texts("red barn", "sea fog"), uniform, Manner(1.0))
        assert not torch.equal(red, fog)
        deaf = sample_mini(nets[0], texts("red barn", "sea fog"), uniform, Manner(0.0))
        assert torch.equal(deaf[0], deaf[1])

    def test_wide(self, nets: Nets) -> None:
        uniform = torch.rand(1, 4, 7, generator=torch.Generator().manual_seed(2))
        wide = sample_wide(nets[0], texts("red"), uniform, self.MANNER, say=sample_mini)
        first = sample_mini(nets[0], texts("red"), uniform[:, :, :4].flatten(1), self.MANNER)
        assert wide.shape == (1, 4, 7)
        assert torch.equal(wide[:, :, :4].flatten(1), first)


class TestLoading:
    def test_sizes_come_from_the_shapes(self, nets: Nets) -> None:
        assert nets[0].shape == MiniShape(
            text_pieces=len(PIECES) + 2, text_length=LENGTH, text_width=128, text_inner=40, text_layers=2,
            inputs=INPUTS, outputs=INPUTS, cells=CELLS, width=128, inner=40, layers=2, codes=CODES, latent=6,
            widths=(32, 32, 64), blocks=2, attention=(2,), vocabulary_bytes=nets[0].shape.vocabulary_bytes,
            merges_bytes=len(MERGES.encode()),
        )  # fmt: skip
        assert (nets[0].shape.start, nets[0].shape.rows, nets[0].shape.factor) == (INPUTS - 1, 4, 4)
        assert isinstance(nets[1], Codec)

    @pytest.mark.parametrize(("suffix", "tail"), [(".safetensors", ""), (".pt", "_mini")])
    def test_names_of_files(self, nets: Nets, tmp_path: Path, suffix: str, tail: str) -> None:
        folder = toy_mini.write(tmp_path, toy_mini.parts(), suffix, tail)
        for name in (str(folder), str(folder / f"decoder{tail}{suffix}")):
            assert is_mini(name)
            state = load_mini(name)[0].state_dict()
            assert all(torch.equal(tensor, state[key]) for key, tensor in nets[0].state_dict().items())
        assert not is_mini(str(folder / f"encoder{tail}{suffix}"))
        assert not is_mini(str(tmp_path / "nothing"))

    def test_detoker_elsewhere(self, nets: Nets, tmp_path: Path) -> None:
        folder = toy_mini.write(tmp_path / "dalle_bart_mini", toy_mini.parts())
        (tmp_path / "vqgan").mkdir()
        (folder / "detoker.pt").rename(tmp_path / "vqgan" / "detoker.pt")
        assert load_mini(str(folder))[1].fingerprint == nets[1].fingerprint
        (tmp_path / "vqgan" / "detoker.pt").rename(tmp_path / "other.pt")
        assert load_mini(str(folder), str(tmp_path / "other.pt"))[1].fingerprint == nets[1].fingerprint
        with pytest.raises(CheckpointError, match=r"detoker\.\w+ is not beside"):
            load_mini(str(folder))

    def test_half_precision_is_read_as_single(self, nets: Nets, tmp_path: Path) -> None:
        files = {name: {k: v.half() for k, v in state.items()} for name, state in toy_mini.parts().items()}
        net, codec = load_mini(str(toy_mini.write(tmp_path, files)))
        assert {parameter.dtype for parameter in (*net.parameters(), *codec.parameters())} == {torch.float32}
        assert torch.allclose(net.encode(texts("red")), nets[0].encode(texts("red")), atol=0.1)

    def test_from_the_store(self, nets: Nets, folder: Path, tmp_path: Path) -> None:
        store = Store([Folder(tmp_path, "test")], say=lambda text: None)
        entry, report = import_file(store, folder / "decoder.pt", name="mini")
        assert entry.card is not None
        assert (entry.card.licence, report.importer, report.unexpected) == ("Apache-2.0", "dalle-mini", ())
        assert is_mini("mini", store)
        assert not is_mini("other", store)
        net, codec = load_mini("mini", store=store)
        assert torch.equal(net.known().encode("red barn"), nets[0].known().encode("red barn"))
        assert torch.equal(codec.decode(codes(1, 4, 4)), nets[1].decode(codes(1, 4, 4)))

    def test_two_decoders_are_not_chosen_among(self, tmp_path: Path) -> None:
        toy_mini.write(tmp_path, toy_mini.parts())
        toy_mini.write(tmp_path, toy_mini.parts(), tail="_mini")
        with pytest.raises(ConfigError, match=r"decoder\.pt, decoder_mini\.pt"):
            load_mini(str(tmp_path))

    def test_parts_of_different_networks_are_refused(self, tmp_path: Path) -> None:
        files = toy_mini.parts()
        files["detoker"]["embedding.weight"] = torch.zeros(INPUTS + 1, 6)
        with pytest.raises(ModelError, match="belong together"):
            load_mini(str(toy_mini.write(tmp_path, files)))

    def test_pictures_are_not_encoded_and_do_not_tile(self, nets: Nets) -> None:
        with pytest.raises(ModelError, match="no encoder of pictures"):
            nets[1].encode(torch.zeros(1, 3, 16, 16))
        with pytest.raises(ModelError, match="do not tile"):
            nets[1].decode(codes(1, 4, 4), (True, False))
        with pytest.raises(CheckpointError, match="codes reach"):
            nets[1].decode(torch.full((1, 4, 4), CODES))
