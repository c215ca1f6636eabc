"""``dreamplate mesh``: a mesh, a point cloud or first splats of a space."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from dreamplate.fields.meshing.config import MeshConfig
from dreamplate.take import check, prepare_process

if TYPE_CHECKING:
    from dreamplate.fields.meshing.build import Found
    from dreamplate.fields.meshing.mesh import Mesh
    from dreamplate.fields.meshing.volume import Progress


def mesh(arguments: list[str]) -> int:
    """``dreamplate mesh TAKE --out model.glb``."""
    config = check(tyro.cli(MeshConfig, prog="dreamplate mesh", args=arguments), source="mesh")
    prepare_process()
    from dreamplate.fields.load import load_fit
    from dreamplate.fields.meshing.build import coloured, make_surface, shader_of
    from dreamplate.fields.meshing.mesh import face_areas
    from dreamplate.fields.meshing.ply import write_points
    from dreamplate.fields.meshing.points import scatter, write_splats
    from dreamplate.fields.meshing.surface import parse_level
    from dreamplate.fields.meshing.writing import check_target, write_mesh

    parse_level(config.level)
    check_target(config.out, config.texture is not None)
    fitted = load_fit(config.take, config.device)
    tell = _ticker(config.quiet)
    learnt = zip(fitted.cameras, fitted.splits, strict=True)
    cameras = [camera for camera, split in learnt if split in fitted.config.train_on]
    found = make_surface(fitted.method, cameras, config, fitted.encoding, fitted.rays, tell)
    shader = shader_of(fitted.method, cameras, config, found, tell)
    up = fitted.about.up
    if config.cloud:
        cloud = scatter(found.mesh, config.points or config.splats or 0, shader)
        if config.points is not None:
            write_points(cloud, config.out)
        else:
            area = float(face_areas(found.mesh.vertices, found.mesh.faces).sum())
            write_splats(cloud, area, config.out)
        made, written = found.mesh, [config.out]
    else:
        made = coloured(found, config, shader)
        written = write_mesh(made, config.out, up, config.metres_per_unit)
    if config.preview is not None:
        _write_preview(made, config, up)
        written.append(config.preview)
    if not config.quiet:
        print(_summary(found, made, config, written))  # noqa: T201
    return 0


def _summary(found: Found, made: Mesh, config: MeshConfig, written: list[Path]) -> str:
    low, high = made.bounds
    if config.cloud:
        lines = [f"{config.points or config.splats} {'points' if config.points else 'splats'}"]
    else:
        lines = [f"{len(made.vertices)} vertices, {len(made.faces)} faces"]
    corners = [" ".join(f"{value:.5g}" for value in corner) for corner in (low, high)]
    lines.append(f"bounds {corners[0]} to {corners[1]} (world units), voxel {found.lattice.spacing:.4g}")
    if found.level is not None:
        lines.append(f"level {found.level:.5g} per world unit")
    holes = f"not watertight: {found.open_edges} edges do not join two faces"
    closed = holes if found.open_edges else "watertight"
    lines.append(closed)
    gone = found.dropped
    lines.append(
        f"{gone.kept} pieces kept, {gone.pieces} dropped ({gone.faces} faces, {gone.area:.1%} of the area)"
    )
    return "\n".join([*lines, *map(str, written)])


def _write_preview(made: Mesh, config: MeshConfig, up: tuple[float, float, float]) -> None:
    from dreamplate.fields.meshing.preview import camera_around, preview
    from dreamplate.plate import write
    from dreamplate.take.provenance import KEY, command_provenance

    assert config.preview is not None
    # What made the picture is this command, not the fit: redo must not repeat the fit.
    recipe = command_provenance("mesh", config, [config.take / "take.yaml"])
    picture = preview(made, camera_around(made, up, 640))
    write(picture.with_metadata(**{KEY: recipe}), config.preview)


def _ticker(quiet: bool) -> Progress:
    """Return what shows progress on a terminal, on one line."""

    def tick(name: str, done: int, total: int) -> None:
        end = "\r" if done < total else "\r\033[K"
        sys.stderr.write(f"{name}: {done} of {total}{end}")
        sys.stderr.flush()

    return tick if sys.stderr.isatty() and not quiet else lambda name, done, total: None
