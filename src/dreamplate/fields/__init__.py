"""Fields: spaces learnt from posed photographs, rendered through any camera with every pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.fields.build import build_method
    from dreamplate.fields.config import FitConfig
    from dreamplate.fields.data import RayBatches
    from dreamplate.fields.deep_exr import Deep, read_deep
    from dreamplate.fields.jobs import FitJob
    from dreamplate.fields.load import Fitted, load_fit
    from dreamplate.fields.meshing.build import make_surface
    from dreamplate.fields.meshing.config import MeshConfig
    from dreamplate.fields.meshing.mesh import Mesh, PointCloud
    from dreamplate.fields.meshing.writing import write_mesh
    from dreamplate.fields.method import Batch, Method, Traced
    from dreamplate.fields.photographs import Photographs, load_photographs
    from dreamplate.fields.rays import Rays, Samples, camera_rays
    from dreamplate.fields.render_config import RenderConfig
    from dreamplate.fields.render_job import RenderJob
    from dreamplate.fields.trainer import Trainer

_HOME = {
    "Batch": "method",
    "Deep": "deep_exr",
    "FitConfig": "config",
    "FitJob": "jobs",
    "Fitted": "load",
    "Mesh": "meshing.mesh",
    "MeshConfig": "meshing.config",
    "Method": "method",
    "Photographs": "photographs",
    "PointCloud": "meshing.mesh",
    "RayBatches": "data",
    "Rays": "rays",
    "RenderConfig": "render_config",
    "RenderJob": "render_job",
    "Samples": "rays",
    "Traced": "method",
    "Trainer": "trainer",
    "build_method": "build",
    "camera_rays": "rays",
    "load_fit": "load",
    "load_photographs": "photographs",
    "make_surface": "meshing.build",
    "read_deep": "deep_exr",
    "write_mesh": "meshing.writing",
}

__all__ = [
    "Batch",
    "Deep",
    "FitConfig",
    "FitJob",
    "Fitted",
    "Mesh",
    "MeshConfig",
    "Method",
    "Photographs",
    "PointCloud",
    "RayBatches",
    "Rays",
    "RenderConfig",
    "RenderJob",
    "Samples",
    "Traced",
    "Trainer",
    "build_method",
    "camera_rays",
    "load_fit",
    "load_photographs",
    "make_surface",
    "read_deep",
    "write_mesh",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
