"""Sentences about a picture, from the facts of what it shows.

A caption is put together of phrases, each of which says one fact; which facts, in which order and in which
words is drawn. It never says what the facts do not. `captions` gives several of one picture: a full one, that
names whatever there is of landmark, biome, time and weather, a looser one and a short one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from dreamplate.scenes.world import words
from dreamplate.scenes.world.draw import stream
from dreamplate.scenes.world.words import vocabulary

__all__ = ["LONGEST", "caption", "captions", "vocabulary"]

LONGEST = 30
"""Words in a caption, at most."""
Facts = Mapping[str, str]
T = TypeVar("T")
_VOWELS = tuple("aeiou")
_GREEN = {"hills": "green hills", "plains": "green plains"}
_SNOWED = {
    "mountains": "snowy mountains",
    "hills": "snowy hills",
    "plains": "snowy plains",
    "coast": "snowy coast",
}


def captions(facts: Facts, seed: int, count: int = 4) -> tuple[str, ...]:
    """Return several captions of one picture: full, loose, short, then loose ones; different if possible.

    Args:
        facts: Of the picture (see `facts.facts`).
        seed: Of the world; the same seed and facts give the same captions.
        count: How many, at least 1.
    """
    rng = stream(seed, "caption")
    made: list[str] = []
    for number in range(count):
        style = {0: "full", 2: "short"}.get(number, "loose")
        found = caption(facts, rng, style)
        for _ in range(4):  # some pictures hold too little for many ways to say it
            if found not in made:
                break
            found = caption(facts, rng, style)
        made.append(found)
    return tuple(made)


def caption(facts: Facts, rng: np.random.Generator, style: str = "loose") -> str:
    """Return a caption.

    Args:
        facts: Of the picture.
        rng: What is drawn is drawn from it.
        style: ``full`` names every main fact, ``loose`` some of them, ``short`` two or three.
    """
    chance = {"full": 1.0, "loose": 0.62, "short": 0.0}[style]
    for _ in range(20):
        text = _articles(_sentence(facts, rng, chance, short=style == "short"))
        if len(text.split()) <= LONGEST:
            return text
        chance *= 0.9
    return _articles(_sentence(facts, rng, 0.0, short=True))


def _sentence(facts: Facts, rng: np.random.Generator, chance: float, *, short: bool) -> str:
    def maybe(share: float) -> bool:
        return bool(rng.random() < share)

    main = max(chance, 0.0)
    moment = _moment(facts, rng, both=main >= 1 or maybe(main))
    if short:
        moment = _moment(facts, rng, both=False)
    if facts.get("landmark", "none") == "none":
        return _land_sentence(facts, rng, moment, chance, short=short)
    subject, plural = _subject(facts, rng)
    where: list[str] = []
    inland = ""
    if not short:
        site = words.SITES.get(facts.get("site", ""), ())
        if site and maybe(0.25 if facts["site"] == "flat" else 0.75):
            where.append(_one(rng, site))
        if maybe(0.3):
            where.append(_one(rng, words.SIDES[facts["side"]]))
        elif facts.get("size") in ("small", "large") and maybe(0.3):
            where.append(_one(rng, words.FAR if facts["size"] == "small" else words.LARGE))
        behind = words.BIOMES[_land(facts)]["behind"] if facts.get("behind") == "yes" else ()
        if main >= 1 or maybe(main):
            inside = words.BIOMES[_land(facts)]["in"]
            inland = _one(rng, behind if behind and maybe(0.4) else inside)
            where.append(inland)
        more = _more(facts, rng, chance, site=facts.get("site", ""))
        if more:
            where.append(more)
        if facts.get("height") == "air" and maybe(0.5):
            where.append(_one(rng, words.HIGH))
    elif maybe(0.35):
        where.append(_one(rng, words.BIOMES[_land(facts)]["in"]))
    form = rng.random()
    body = " ".join([subject, *where])
    if short:
        return " ".join(filter(None, [body, moment if maybe(0.8) or not where else ""]))
    if form < 0.25:
        body = f"{_one(rng, words.STYLES)} {body}"
    elif form < 0.4:
        body = " ".join([subject, _verb(facts, rng, plural), *where])
    elif form < 0.5 and not plural:
        body = f"{_one(rng, words.FRONTS)} {body}"
    elif form < 0.5:
        body = f"there are {body}"
    elif form < 0.62:
        there = [phrase for phrase in where if phrase != inland and not phrase.startswith("with")]
        return f"{_scene(facts, rng)} with {' '.join([subject, *there])} {moment}".strip()
    if moment and form >= 0.8 and moment.split()[0] in ("at", "by", "in", "on", "early", "during"):
        return f"{moment} {' '.join([subject, _verb(facts, rng, plural), *where])}"
    return f"{body} {moment}".strip()


def _land_sentence(facts: Facts, rng: np.random.Generator, moment: str, chance: float, *, short: bool) -> str:
    """Return a sentence about a picture of land alone."""
    scene = _scene(facts, rng)
    if short:
        return f"{scene} {moment}".strip()
    more = _more(facts, rng, max(chance, 0.8), site="")
    body = f"{scene} {more}".strip()
    if facts.get("height") == "air" and rng.random() < 0.5:
        body = f"{body} {_one(rng, words.HIGH)}"
    form = rng.random()
    if form < 0.45:
        body = f"{_one(rng, words.STYLES)} {body}"
    elif form < 0.55 and not _is_plural(scene):
        body = f"{_one(rng, words.FRONTS)} {body}"
    elif form < 0.65:
        inside = _one(rng, words.BIOMES[_land(facts)]["in"])
        body = f"{_one(rng, words.ALONE)} {inside} {more}".strip()
    return f"{body} {moment}".strip()


def _subject(facts: Facts, rng: np.random.Generator) -> tuple[str, bool]:
    """Return the main things with their number, and whether they are several."""
    kind = facts["landmark"]
    church = (
        kind == "village" and facts.get("church") == "yes" and facts["count"] == "1" and rng.random() < 0.4
    )
    return _counted("village church" if church else kind, facts["count"], rng)


def _counted(kind: str, count: str, rng: np.random.Generator) -> tuple[str, bool]:
    one, several = _one(rng, words.NOUNS[kind])
    if count == "1":
        return f"{_one(rng, words.COUNTS['1'])} {one}", False
    return f"{_one(rng, words.COUNTS[count])} {several}", True


def _verb(facts: Facts, rng: np.random.Generator, plural: bool) -> str:
    kind = facts["landmark"]
    kind = {"rowing boat": "boat", "truck": "car", "vehicle": "car", "suspension bridge": "bridge"}.get(
        kind, kind
    )
    one, several = _one(rng, words.VERBS.get(kind, words.VERBS[""]))
    return several if plural else one


def _land(facts: Facts) -> str:
    """Return the key of `words.BIOMES`."""
    biome = facts["biome"]
    if facts.get("snow") == "yes":
        return _SNOWED.get(biome, biome)
    green = facts.get("ground") == "grass" and facts["season"] in ("spring", "summer")
    return _GREEN.get(biome, biome) if green else biome


def _scene(facts: Facts, rng: np.random.Generator) -> str:
    """Return the country, perhaps with an adjective of the weather: a foggy mountain landscape."""
    scene = _one(rng, words.BIOMES[_land(facts)]["noun"])
    looks = words.LOOKS.get(facts["weather"], ())
    if looks and facts["weather"] in ("fog", "storm", "rain") and rng.random() < 0.25:
        article, rest = ("a ", scene[2:]) if scene.startswith("a ") else ("", scene)
        if scene.startswith("an "):
            article, rest = "a ", scene[3:]
        scene = f"{article}{_one(rng, looks)} {rest}"
    return scene


def _is_plural(scene: str) -> bool:
    return not scene.startswith(("a ", "an ", "the "))


def _more(facts: Facts, rng: np.random.Generator, chance: float, *, site: str) -> str:
    """Return what else is there: other things, trees, water, a road."""
    found: list[str] = []
    if facts.get("second", "none") != "none" and rng.random() < 0.85 * chance:
        found.append(_counted(facts["second"], facts["second_count"], rng)[0])
    if facts.get("trees", "none") != "none" and rng.random() < 0.6 * chance:
        kind = facts["trees"]
        if facts["season"] == "autumn" and kind in ("broadleaf", "birch") and rng.random() < 0.6:
            kind = "autumn"
        found.append(_one(rng, words.TREES[kind][facts["forest"]]))
    wet = facts.get("water", "none")
    inside = facts["biome"] in ("coast", "islands")
    about_water = site in ("shore", "sea", "lake", "river", "over river")
    if wet != "none" and not about_water and not inside and rng.random() < 0.7 * chance:
        if not found and rng.random() < 0.6:
            return _one(rng, words.WATERS[wet])
        found.append(_one(rng, words.BESIDE[wet]))
    if facts.get("road") == "yes" and site not in ("road", "beside road") and rng.random() < 0.4 * chance:
        found.append(_one(rng, words.ROADS))
    if not found:
        return ""
    return f"{'with' if rng.random() < 0.8 else 'near'} {' and '.join(found[:2])}"


def _moment(facts: Facts, rng: np.random.Generator, *, both: bool) -> str:
    """Return time, weather and season in a phrase or two."""
    time, weather = facts["time"], facts["weather"]
    season = facts.get("season", "") if facts.get("season_seen") == "yes" else ""
    noon = facts.get("noon") == "yes" and rng.random() < 0.5
    when = _one(rng, words.TIMES["noon" if noon else time])
    if facts.get("moon") == "yes" and rng.random() < 0.35:
        when = f"{when} {_one(rng, words.MOON)}"
    if not both:
        if rng.random() < 0.25 and weather != "clear":
            return _weather(facts, rng)
        return when
    nouns = words.DAYS.get(time)
    if nouns and rng.random() < 0.3:
        look = _one(rng, words.LOOKS[weather])
        kind = f"{season} " if season and season != "none" and rng.random() < 0.5 else ""
        return f"on a {look} {kind}{_one(rng, nouns)}"
    parts = [when, _weather(facts, rng)]
    if season and rng.random() < 0.4:
        parts.insert(int(rng.integers(0, 3)), _one(rng, words.SEASONS[season]))
    elif rng.random() < 0.3:
        parts.reverse()
    return " ".join(parts)


def _weather(facts: Facts, rng: np.random.Generator) -> str:
    weather = facts["weather"]
    if facts.get("sky") == "none":
        return _one(rng, words.WEATHERS[weather])
    special = words.SKIES.get(f"{weather} {facts['time']}", ())
    plain = words.SKIES[weather] if not special or weather == "cloudy" else ()
    return _one(rng, (*special, *plain, *(words.WEATHERS[weather] if rng.random() < 0.25 else ())))


def _one(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


def _articles(text: str) -> str:
    """Return the text with ``a`` or ``an`` as the next word asks."""
    found = text.split()
    for place, word in enumerate(found[:-1]):
        if word in ("a", "an"):
            found[place] = "an" if found[place + 1].startswith(_VOWELS) and found[place + 1] != "one" else "a"
    return " ".join(found)
