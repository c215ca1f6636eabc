"""What a capture tells its maker: which photographs were placed, and why the others were not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dreamplate.errors import SceneError
from dreamplate.scenes.sfm import Matched

__all__ = ["check_matched", "reasons"]

FEW_FEATURES = 50


def check_matched(source: str, names: Sequence[str], matched: Matched, least: int) -> None:
    """Check that at least two photographs match.

    Args:
        source: The folder or video, for the message.
        names: All photographs.
        matched: What was found.
        least: Fewest agreeing matches that connect two photographs.

    Raises:
        SceneError: No two do; names them.
    """
    if any(number >= least for number in matched.inliers.values()):
        return
    shown = [f"{name} ({matched.features.get(name, 0)} features)" for name in names[:6]]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    raise SceneError(
        f"{source}: no two photographs match: {', '.join(shown)}{more}; they must show the same "
        f"things, sharp, from places not too far apart"
    )


def reasons(names: Sequence[str], placed: Sequence[str], matched: Matched, least: int) -> Mapping[str, str]:
    """Return why each photograph that was not placed was not.

    Args:
        names: All photographs.
        placed: Those that have a camera.
        matched: What was found in them and between them.
        least: Fewest agreeing matches that connect two photographs.
    """
    good = set(placed)
    groups = _groups(names, matched, least)
    found: dict[str, str] = {}
    for name in names:
        if name in good:
            continue
        features = matched.features.get(name, 0)
        best, other = _best(name, matched)
        if features < FEW_FEATURES:
            found[name] = f"too few features: {features}; it is blurred, dark, masked or plain"
        elif best < least:
            nearest = f"at most {best} with {other}" if other else "none with any other"
            found[name] = f"no matches: {nearest}, {least} are needed; take photographs in between"
        elif not groups[name] & good:
            found[name] = (
                f"not connected: matches {len(groups[name]) - 1} others, none of which was placed; "
                f"take photographs in between"
            )
        else:
            found[name] = (
                f"not placed: {best} matches with {other}, which do not fit the other cameras; it may "
                f"be blurred, or show something that moved"
            )
    return found


def _best(name: str, matched: Matched) -> tuple[int, str]:
    """Return the most matches that a photograph has with another, and which."""
    pairs = [
        (number, second if first == name else first)
        for (first, second), number in matched.inliers.items()
        if name in (first, second)
    ]
    return max(pairs, default=(0, ""))


def _groups(names: Sequence[str], matched: Matched, least: int) -> dict[str, set[str]]:
    """Return, for each photograph, those it is connected to by matches, however far."""
    group = {name: {name} for name in names}
    for (first, second), number in matched.inliers.items():
        if number >= least and group[first] is not group[second]:
            merged = group[first] | group[second]
            for name in merged:
                group[name] = merged
    return group
