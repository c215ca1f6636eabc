"""What a mesh is made with: every option of ``dreamplate mesh``, spelt here and nowhere else. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from dreamplate.errors import ConfigError
from dreamplate.take.fields import Bounds
from dreamplate.take.machine import parse_memory

__all__ = ["MeshConfig"]

Count = Annotated[int, Bounds(ge=1, le=100_000_000)]


@dataclass(frozen=True)
class MeshConfig:
    """A mesh, a point cloud or first splats of a space, in the world and units of its capture."""

    take: Positional[Path]
    """The take that `dreamplate fit` left."""
    out: Path = Path("model.glb")
    """Where it goes; the extension chooses: .obj .ply .glb .usd .usda .usdc."""
    route: Annotated[Literal["density", "depth"], arg(name="from")] = "density"
    """density: the surface of constant density. depth: what training cameras see, fused; often cleaner."""
    level: str = "auto"
    """Density of the surface per world unit, or auto: a hundredth of the box stops half the light."""
    resolution: Annotated[int, Bounds(ge=8, le=4096)] = 256
    """Voxels along the longest side of the box."""
    box: tuple[float, float, float, float, float, float] | None = None
    """Lowest x y z, then highest x y z, in world units; the field's own box when not given."""
    smooth: Annotated[float, Bounds(ge=0, le=4)] = 0.0
    """Blur density by a Gaussian of so many voxels first: fewer bumps, less detail."""
    close: bool = False
    """Cap the mesh where the box cuts it; otherwise it stays open there."""
    keep: Annotated[float, Bounds(ge=0, le=1)] = 0.01
    """Pieces with less than this share of the largest one's area are dropped; 0 keeps all, 1 the largest."""
    faces: Annotated[int, Bounds(ge=4, le=100_000_000)] | None = None
    """Reduce to about so many triangles."""
    texture: Annotated[int, Bounds(ge=16, le=16_384)] | None = None
    """Bake colours into a texture of this side in pixels, instead of into vertices."""
    shade: Literal["views", "normals"] = "views"
    """Look at the surface from where the training cameras saw it, or head on."""
    points: Count | None = None
    """Write a point cloud of so many points instead of a mesh (.ply)."""
    splats: Count | None = None
    """Write so many Gaussians instead of a mesh (.ply): a start for optimising splats."""
    views: Annotated[int, Bounds(ge=1, le=10_000)] = 48
    """At most so many training cameras, spread evenly, for depth and for colours."""
    view_side: Annotated[int, Bounds(ge=16, le=8192)] = 400
    """Longest side in pixels at which they look."""
    metres_per_unit: Annotated[float, Bounds(gt=0, le=1e9)] = 1.0
    """Length of the capture's unit; noted in USD, applied by glTF's root node."""
    preview: Path | None = None
    """Also write a picture of the mesh."""
    memory: str = "2GiB"
    """Memory to work in; the field is looked up in chunks that fit."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, cuda:1, mps."""
    quiet: bool = False
    """Print nothing but errors."""

    def __post_init__(self) -> None:
        """Check what bounds cannot say.

        Raises:
            ConfigError: Options contradict each other.
        """
        if self.points is not None and self.splats is not None:
            raise ConfigError("points and splats are both set: write one file at a time")
        if self.cloud and self.out.suffix.lower() != ".ply":
            kind = "points" if self.points is not None else "splats"
            raise ConfigError(f"out is {self.out}: {kind} are written as .ply; name a .ply file")
        if self.cloud and self.texture is not None:
            raise ConfigError(f"texture is {self.texture}: points have no texture; leave one of the two out")
        if self.route == "depth" and self.level.strip() != "auto":
            raise ConfigError(
                f"level is {self.level}: fused depth has no level; leave it out, or use --from density"
            )
        if self.route == "depth" and self.smooth:
            raise ConfigError(
                f"smooth is {self.smooth}: it blurs density; leave it out, or use --from density"
            )
        parse_memory(self.memory)

    @property
    def cloud(self) -> bool:
        """Whether points or splats are wanted, and no mesh."""
        return self.points is not None or self.splats is not None
