"""House fronts with label maps: pairs to train translation on, drawn without any photograph.

Every front is a pure function of a seed and its number: sky and hour, walls of brick, plaster or stone, rows
of windows with shutters or balconies, doors, shops, roofs, plants. Pictures are scene-linear (windows that
are lit and the sun's glints go far beyond white); each comes with its classes and with object ids. Nothing is
copied from anywhere, so what is trained on them belongs to whoever runs the recipe.

Usage: python tools/fronts.py FOLDER [--count 120] [--first 0] [--size 256] [--seed 7] [--instances] [--odd]
writes FOLDER/photo/NNNN.exr, FOLDER/label/NNNN.png and FOLDER/palette.json; with --instances also object ids,
FOLDER/instance/NNNN.png (16-bit). With --odd label maps have a piece where none belongs, to ask what a model
makes of that.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from dreamplate.plate import Plate, write

CLASSES = (
    ("sky", (110, 160, 220)),
    ("wall", (170, 120, 90)),
    ("roof", (130, 60, 50)),
    ("cornice", (220, 200, 170)),
    ("window", (60, 90, 200)),
    ("shutter", (40, 130, 90)),
    ("door", (200, 80, 160)),
    ("balcony", (230, 160, 40)),
    ("shop", (90, 200, 200)),
    ("ground", (110, 110, 110)),
    ("plant", (70, 160, 50)),
)
"""Name and colour of each class; its place is its id."""
SKY, WALL, ROOF, CORNICE, WINDOW, SHUTTER, DOOR, BALCONY, SHOP, GROUND, PLANT = range(len(CLASSES))

EXPOSURE = 0.55
"""What the light is multiplied by in the end: a white wall in the sun is about as bright as white."""
FINE = 2
"""Every pixel is drawn as this many by this many."""
WALLS = ((0.42, 0.16, 0.10), (0.55, 0.42, 0.28), (0.62, 0.58, 0.50), (0.50, 0.24, 0.16), (0.30, 0.34, 0.36))
WOODS = ((0.03, 0.10, 0.07), (0.05, 0.06, 0.14), (0.18, 0.05, 0.03), (0.10, 0.06, 0.03), (0.50, 0.50, 0.46))


def noise(draws: np.random.Generator, size: int, cells: int, octaves: int = 4) -> np.ndarray:
    """Return smooth noise ``(size, size)``, mean 0, deviation about 1; ``cells`` across at its coarsest."""
    total = np.zeros((size, size))
    weight = 0.0
    for octave in range(octaves):
        count = min(size, cells * 2**octave)
        grid = draws.standard_normal((count + 1, count + 1))
        at = np.linspace(0, count, size, endpoint=False)
        low = at.astype(int)
        part = at - low
        part = part * part * (3 - 2 * part)
        rows = grid[low] * (1 - part[:, None]) + grid[low + 1] * part[:, None]
        total += (rows[:, low] * (1 - part) + rows[:, low + 1] * part) * 0.55**octave
        weight += 0.55 ** (2 * octave)
    return total / np.sqrt(weight * 0.5)


class Front:
    """One picture at work: light, classes and objects, painted from back to front.

    Args:
        seed: Of the street.
        number: Of the house.
        size: Width and height of the finished picture.
    """

    def __init__(self, seed: int, number: int, size: int) -> None:
        self.draws = np.random.default_rng([seed, number])
        self.size = size * FINE
        self.light = np.zeros((self.size, self.size, 3))
        self.label = np.zeros((self.size, self.size), np.uint8)
        self.objects = np.zeros((self.size, self.size), np.uint16)
        self.count = len(CLASSES)
        self.y, self.x = (np.mgrid[: self.size, : self.size] + 0.5) / self.size
        hour = self.draws.uniform()
        self.night = float(np.clip((hour - 0.78) / 0.15, 0, 1))
        warm = float(np.clip((hour - 0.5) / 0.25, 0, 1))
        self.sun = np.array([1.0, 0.95 - 0.25 * warm, 0.86 - 0.5 * warm]) * (2.2 - 2.0 * self.night)
        self.fill = np.array([0.30, 0.38, 0.52]) * (1 - 0.8 * self.night)
        self.side = 1 if self.draws.uniform() < 0.5 else -1
        self.warm = warm

    def paint(self, where: np.ndarray, colour: np.ndarray, label: int, thing: bool = False) -> None:
        """Cover a region: light, class, and a new object id where it is a thing."""
        self.light[where] = colour[where] if colour.ndim == 3 else colour
        self.label[where] = label
        if thing:
            self.count += 1
        self.objects[where] = self.count if thing else label

    def box(self, left: float, top: float, right: float, bottom: float) -> np.ndarray:
        """Return the region of a rectangle; sides are shares of the picture."""
        return (self.x >= left) & (self.x < right) & (self.y >= top) & (self.y < bottom)

    def lit(self, albedo: object, shade: object = 1.0) -> np.ndarray:
        """Return the light that a surface sends out: sun (where ``shade`` is 1) and sky."""
        colour = np.broadcast_to(np.asarray(albedo, float), self.light.shape)
        direct = np.broadcast_to(np.asarray(shade, float), self.x.shape)[..., None] * self.sun
        return colour * (direct + self.fill)

    def sky(self) -> None:
        """Paint the sky with its clouds."""
        high, low = np.array([0.12, 0.26, 0.62]), np.array([0.55, 0.68, 0.85])
        low = low * (1 - self.warm) + np.array([1.1, 0.55, 0.28]) * self.warm
        colour = low + (high - low) * np.clip(1 - self.y * 1.6, 0, 1)[..., None]
        clouds = np.clip(noise(self.draws, self.size, 3, 5) * 0.5 - 0.1 + self.draws.uniform(-0.3, 0.3), 0, 1)
        colour = colour + clouds[..., None] * (0.9 * self.sun * 0.5 + 0.1 - colour * 0.6)
        self.paint(np.ones_like(self.label, bool), colour * (1 - 0.93 * self.night), SKY)

    def wall(self) -> tuple[float, float, float]:
        """Paint the house and its roof; returns its left side, right side and the top of its wall."""
        draw = self.draws.uniform
        left, right, top = draw(-0.02, 0.12), 1 - draw(-0.02, 0.12), draw(0.14, 0.3)
        base = np.array(WALLS[self.draws.integers(len(WALLS))]) * draw(0.8, 1.15)
        albedo = base * (1 + 0.10 * noise(self.draws, self.size, 6)[..., None])
        kind = self.draws.integers(3)
        if kind < 2:  # bricks or stones
            rows, long = (52, 2.6) if kind == 0 else (20, 1.9)
            row = np.floor(self.y * rows)
            across = self.x * rows / long + 0.5 * (row % 2)
            joint = np.minimum((self.y * rows) % 1, (across % 1) * long) < (0.14 if kind == 0 else 0.07)
            tone = np.sin(row * 12.9898 + np.floor(across) * 78.233) * 43758.5453
            albedo = albedo * (0.86 + 0.28 * (tone - np.floor(tone)))[..., None]
            albedo = np.where(joint[..., None], base * 0.55 + 0.12, albedo)
        foot = np.clip((self.y - 0.8) / 0.14, 0, 1)[..., None]
        house = self.box(left, top, right, 0.93)
        self.paint(house, self.lit(albedo * (1 - 0.35 * foot)), WALL)
        if draw() < 0.6:  # a pitched roof
            peak, lean = top - draw(0.07, 0.13), draw(0.04, 0.12)
            rise = np.clip((self.y - peak) / max(1e-6, top - peak), 0, 1)
            sides = lean * (1 - rise)
            roof = (self.x >= left - 0.02 + sides) & (self.x < right + 0.02 - sides)
            roof &= (self.y >= peak) & (self.y < top)
            tiles = 0.75 + 0.25 * np.abs(np.sin(self.y * 180)) + 0.08 * noise(self.draws, self.size, 30, 2)
            red = np.array([[0.28, 0.09, 0.06], [0.10, 0.11, 0.13]][self.draws.integers(2)])
            self.paint(roof, self.lit(red * tiles[..., None]), ROOF)
        self.band(left - 0.015, top - 0.012, right + 0.015, top + 0.016)
        return max(left, 0.0), min(right, 1.0), top

    def band(self, left: float, top: float, right: float, bottom: float) -> None:
        """Paint a cornice and the shadow below it."""
        self.shadow(self.box(left, bottom, right, bottom + 0.018), 0.55)
        profile = 0.75 + 0.35 * np.sin((self.y - top) / max(1e-6, bottom - top) * 3.0)
        self.paint(
            self.box(left, top, right, bottom),
            self.lit(np.array([0.6, 0.56, 0.48]) * profile[..., None]),
            CORNICE,
        )

    def shadow(self, where: np.ndarray, keep: float) -> None:
        """Darken what is there, its class aside."""
        self.light[where & (self.label != SKY)] *= keep

    def glass(self, region: np.ndarray, top: float, height: float) -> np.ndarray:
        """Return the light of panes: the sky mirrored by day, rooms that are lit by night."""
        mirrored = np.array([0.10, 0.16, 0.26]) * (1 - self.night) + 0.004
        slope = np.clip(1.2 - (self.y - top) / height + 0.4 * self.side * (self.x - 0.5), 0, 2)
        colour = mirrored * (0.4 + slope)[..., None]
        if self.draws.uniform() < 0.2 + 0.5 * self.night:
            lamp = np.array([3.4, 2.1, 0.9]) * self.draws.uniform(0.5, 1.6) * (0.15 + 0.85 * self.night)
            colour = colour + lamp * (0.5 + 0.5 * np.clip(1.4 - (self.y - top) / height, 0, 1))[..., None]
        elif self.night < 0.5 and self.draws.uniform() < 0.12:  # the sun in a pane
            across = (self.x - self.x[region].mean()) / 0.02 + (self.y - top) / height * 2 - 1
            colour = colour + self.sun * 6 * np.exp(-(across**2))[..., None]
        return colour

    def window(self, left: float, top: float, width: float, height: float, style: dict[str, int]) -> None:
        """Paint a window in its recess, with frame and bars."""
        frame = np.array(WOODS[style["frame"]])
        whole = self.box(left, top, left + width, top + height)
        self.shadow(self.box(left - 0.006, top - 0.012, left + width + 0.006, top), 1.25)
        self.paint(whole, self.lit(frame), WINDOW, thing=True)
        rim, bars = 0.1 * width, 0.05 * width
        pane = self.box(left + rim, top + rim, left + width - rim, top + height - rim)
        if style["bars"]:
            pane &= np.abs(self.x - left - width / 2) > bars / 2
            pane &= np.abs(self.y - top - height * 0.36) > bars / 2
        self.light[pane] = self.glass(pane, top, height)[pane]
        edge = left if self.side > 0 else left + width - 0.16 * width
        depth = self.box(left, top, left + width, top + 0.12 * height)
        depth |= self.box(edge, top, edge + 0.16 * width, top + height)
        self.light[depth] *= 0.55 + 0.45 * self.night
        sill = self.box(left - 0.008, top + height, left + width + 0.008, top + height + 0.008)
        self.light[sill] = self.lit(np.array([0.6, 0.57, 0.5]))[sill]
        if style["shutters"]:
            slats = 0.65 + 0.35 * np.abs(np.sin(self.y * 420))
            colour = self.lit(np.array(WOODS[style["wood"]]) * slats[..., None])
            for at in (left - width * 0.55, left + width * 1.05):
                leaf = self.box(at, top, at + width * 0.5, top + height)
                self.shadow(self.box(at + 0.006 * self.side, top, at + width * 0.5, top + height + 0.01), 0.7)
                self.paint(leaf, colour, SHUTTER, thing=True)

    def balcony(self, left: float, right: float, floor: float, height: float) -> None:
        """Paint a slab with its railing, and their shadow."""
        self.shadow(self.box(left, floor, right, floor + 0.04), 0.6)
        slab = self.box(left, floor - 0.01, right, floor + 0.006)
        rail = self.box(left, floor - height, right, floor - height + 0.007)
        rods = self.box(left, floor - height, right, floor) & ((self.x / 0.011) % 1 < 0.34)
        iron = self.lit(np.array([0.03, 0.03, 0.035]))
        self.count += 1
        for part, colour in ((slab, self.lit(np.array([0.5, 0.47, 0.42]))), (rods, iron), (rail, iron)):
            self.light[part] = colour[part]
        where = self.box(left, floor - height, right, floor + 0.006)
        self.label[where], self.objects[where] = BALCONY, self.count

    def floors(self, left: float, right: float, top: float) -> None:
        """Paint rows of windows, the ground floor last."""
        draw, pick = self.draws.uniform, self.draws.integers
        count, columns = int(pick(2, 5)), int(pick(3, 7))
        style = {"frame": int(pick(2, len(WOODS))), "bars": int(pick(2)), "wood": int(pick(len(WOODS)))}
        style["shutters"] = int(draw() < 0.35)
        rise, cell = (0.70 - top) / count, (right - left) / columns
        width, height = cell * (0.36 if style["shutters"] else draw(0.36, 0.56)), rise * draw(0.5, 0.68)
        balconies = pick(3)
        for floor in range(count):
            at = top + 0.04 + floor * rise
            if draw() < 0.4:
                self.band(left, at + height + 0.022, right, at + height + 0.034)
            for column in range(columns):
                middle = left + (column + 0.5) * cell
                self.window(middle - width / 2, at, width, height, style)
                if balconies == 1 and floor % 2 == 0:
                    self.balcony(middle - width * 0.75, middle + width * 0.75, at + height, height * 0.4)
            if balconies == 2 and floor == count // 2:
                self.balcony(left + cell * 0.2, right - cell * 0.2, at + height, height * 0.36)
        entrance = int(pick(columns))
        shops = draw() < 0.45
        for column in range(columns):
            middle = left + (column + 0.5) * cell
            if column == entrance:
                self.door(middle, min(cell * 0.5, 0.11), style)
            elif shops:
                self.shop(middle - cell * 0.44, middle + cell * 0.44)
            else:
                self.window(middle - width / 2, 0.75, width, 0.1, style | {"shutters": 0})

    def door(self, middle: float, width: float, style: dict[str, int]) -> None:
        """Paint a door with panels and its frame."""
        around = self.box(middle - width * 0.62, 0.735, middle + width * 0.62, 0.93)
        self.light[around] = self.lit(np.array([0.58, 0.54, 0.47]))[around]
        panels = (np.abs(((self.x - middle) / width) % 0.5 - 0.25) < 0.19) & ((self.y * 18) % 1 < 0.8)
        wood = np.array(WOODS[style["wood"]]) * np.where(panels, 1.0, 0.6)[..., None]
        leaf = self.box(middle - width / 2, 0.75, middle + width / 2, 0.93)
        self.paint(around, self.light, DOOR, thing=True)
        self.light[leaf] = self.lit(wood)[leaf]
        light = self.box(middle - width / 2, 0.75, middle + width / 2, 0.772)
        self.light[light] = self.glass(light, 0.75, 0.03)[light]

    def shop(self, left: float, right: float) -> None:
        """Paint a shop window under its awning."""
        self.paint(
            self.box(left, 0.765, right, 0.915), self.lit(np.array([0.08, 0.07, 0.06])), SHOP, thing=True
        )
        pane = self.box(left + 0.008, 0.785, right - 0.008, 0.905)
        self.light[pane] = self.glass(pane, 0.785, 0.12)[pane]
        stripes = ((self.x / 0.022) % 1 < 0.5)[..., None]
        tint = np.array(self.draws.uniform(0.1, 0.6, 3))
        cloth = self.box(left - 0.004, 0.75, right + 0.004, 0.785)
        self.light[cloth] = self.lit(np.where(stripes, tint, 0.7))[cloth]
        self.label[cloth], self.objects[cloth] = SHOP, self.count

    def street(self) -> None:
        """Paint the pavement and what grows on it."""
        slabs = ((self.x * 14 + np.floor(self.y * 60)) % 1 < 0.03) | ((self.y * 60) % 1 < 0.08)
        grey = 0.30 * (1 + 0.08 * noise(self.draws, self.size, 20, 3)) * np.where(slabs, 0.7, 1.0)
        self.paint(self.y >= 0.93, self.lit(np.repeat(grey[..., None], 3, 2)), GROUND)
        for _ in range(int(self.draws.integers(0, 4))):
            middle, size = self.draws.uniform(0.03, 0.97), self.draws.uniform(0.025, 0.07)
            tall = size * self.draws.uniform(0.9, 2.6)
            ragged = 0.16 * noise(self.draws, self.size, 40, 3)
            reach = ((self.x - middle) / size) ** 2 + ((self.y - (0.945 - tall)) / tall) ** 2
            bush = reach + ragged < 1
            leaves = noise(self.draws, self.size, 60, 2)
            round_ = np.clip(
                0.65 - 0.5 * self.side * (self.x - middle) / size - 0.3 * (self.y - 0.9) / tall, 0.1, 1.2
            )
            green = np.array([0.05, 0.13, 0.03]) * np.clip(1 + 0.6 * leaves, 0.15, 2.5)[..., None]
            self.paint(bush, self.lit(green * 1.6, round_), PLANT, thing=True)

    def finish(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return scene-linear colour ``(size, size, 3)``, classes and object ids ``(size, size)``."""
        small = self.size // FINE
        light = self.light.reshape(small, FINE, small, FINE, 3).mean((1, 3))
        return (
            np.maximum(light, 0).astype(np.float32),
            self.label[::FINE, ::FINE],
            self.objects[::FINE, ::FINE],
        )


def draw(seed: int, number: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw one front: scene-linear colour ``(size, size, 3)``, classes uint8 and object ids uint16."""
    front = Front(seed, number, size)
    front.sky()
    left, right, top = front.wall()
    front.floors(left, right, top)
    front.street()
    return front.finish()


def misplace(label: np.ndarray) -> np.ndarray:
    """Return classes with a piece of the ground floor hung in the sky, as no front has it."""
    size, moved = len(label), label.copy()
    height, width = round(0.2 * size), round(0.3 * size)
    top, left = round(0.73 * size), round(0.1 * size)
    moved[:height, -width:] = label[top : top + height, left : left + width]
    return moved


def write_grey(path: Path, values: np.ndarray) -> None:
    """Write whole numbers as a grey PNG of their own depth, bit for bit."""
    most = np.iinfo(values.dtype).max
    plate = Plate((values / most).astype(np.float32)[..., None], ("Y",), "raw")
    write(plate, path, depth=str(8 * values.dtype.itemsize))


def make(
    folder: Path,
    count: int,
    size: int,
    seed: int = 7,
    first: int = 0,
    instances: bool = False,
    odd: bool = False,
) -> None:
    """Write fronts ``first`` to ``first + count - 1`` with their label maps, and the palette."""
    for name in ("photo", "label", "instance")[: 2 + instances]:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        light, label, objects = draw(seed, number, size)
        label = misplace(label) if odd else label
        write(Plate(light), folder / "photo" / f"{number:04d}.exr", depth="half")
        write_grey(folder / "label" / f"{number:04d}.png", label)
        if instances:
            write_grey(folder / "instance" / f"{number:04d}.png", objects)
    classes = [{"id": at, "name": name, "colour": colour} for at, (name, colour) in enumerate(CLASSES)]
    (folder / "palette.json").write_text(json.dumps({"classes": classes, "unknown": []}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--instances", action="store_true")
    parser.add_argument("--odd", action="store_true")
    asked = parser.parse_args()
    make(asked.folder, asked.count, asked.size, asked.seed, asked.first, asked.instances, asked.odd)


if __name__ == "__main__":
    main()
