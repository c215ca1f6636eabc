"""One-hot label maps and the borders of instances."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dreamplate.plate import LabelClass, Palette
from dreamplate.train import Batch, Port
from dreamplate.train.onehot import condition_tensor, instance_edges
from parity import fixture


def port_of(classes: int, *, unknown: bool = False, instances: bool = False) -> Port:
    palette = Palette(
        tuple(LabelClass(n, f"class {n}") for n in range(classes)), (classes,) if unknown else ()
    )
    return Port("labels", ("Y",), "raw", palette=palette, instances=instances)


def batch_of(labels: torch.Tensor, instances: torch.Tensor | None = None) -> Batch:
    return Batch(torch.zeros(len(labels), 3, *labels.shape[1:]), labels=labels, instances=instances)


def slow_edges(ids: torch.Tensor) -> torch.Tensor:
    count, height, width = ids.shape
    made = torch.zeros(count, 1, height, width)
    for n in range(count):
        for y in range(height):
            for x in range(width):
                for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    if 0 <= v < height and 0 <= u < width and ids[n, v, u] != ids[n, y, x]:
                        made[n, 0, y, x] = 1
    return made


def test_edges_are_where_a_neighbour_differs() -> None:
    ids = torch.randint(3, (2, 7, 6), generator=torch.Generator().manual_seed(0))
    assert torch.equal(instance_edges(ids), slow_edges(ids))
    assert instance_edges(torch.full((1, 1, 1), 5)).sum() == 0


@pytest.mark.parametrize("unknown", [False, True])
def test_argmax_gives_the_labels_back(unknown: bool) -> None:
    port = port_of(5, unknown=unknown, instances=True)
    labels = torch.randint(5 + unknown, (2, 6, 7), generator=torch.Generator().manual_seed(1))
    made = condition_tensor(batch_of(labels, labels * 1000), port)
    assert made.shape == (2, port.width, 6, 7)
    assert torch.equal(made[:, :-1].argmax(1), labels) and torch.equal(
        made[:, :-1].sum(1), torch.ones(2, 6, 7)
    )


def test_a_pixel_of_no_class_is_empty_where_there_is_no_channel_for_it() -> None:
    labels = torch.tensor([[[0, 2]]])
    assert condition_tensor(batch_of(labels), port_of(2)).tolist() == [[[[1, 0]], [[0, 0]]]]


def test_pictures_come_as_they_are_and_missing_parts_are_named() -> None:
    picture = torch.rand(1, 3, 2, 2)
    assert condition_tensor(Batch(picture, picture), Port()) is picture
    labels = torch.zeros(1, 2, 2, dtype=torch.int64)
    for batch, port, says in (
        (Batch(picture), Port(), "picture"),
        (Batch(picture), port_of(2), "labels"),
        (batch_of(labels), port_of(2, instances=True), "instances"),
    ):
        with pytest.raises(ValueError, match=says):
            condition_tensor(batch, port)


@pytest.mark.parametrize("name", ["pix2pixhd_inputs", "spade_inputs"])
def test_parity_inputs(shared_dir: Path, name: str) -> None:
    reference = fixture(shared_dir, name)
    labels = reference.given("label")[:, 0].long()
    instances = reference.given("instance")[:, 0].long()
    port = port_of(
        reference.arguments["label_nc"],
        unknown=reference.arguments.get("contain_dontcare_label", False),
        instances=True,
    )
    made = condition_tensor(batch_of(labels, instances), port)
    wanted = {"out.input": made, "out.semantics": made, "out.edges": instance_edges(instances)}
    outputs = [key for key in reference.tensors if key.startswith("out.")]
    assert "exact" in reference.about["tolerance"] and outputs
    for key in outputs:
        assert torch.equal(wanted[key], reference.tensors[key]), key
