"""OpenUSD: the mesh as one prim, in the world of the capture, with displayColor or a textured surface."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.fields.meshing.encoding import linear, needs_offset
from dreamplate.fields.meshing.mesh import Mesh
from dreamplate.fields.meshing.obj import write_texture
from dreamplate.fields.meshing.packages import package
from dreamplate.files import atomic_path

__all__ = ["up_axis", "write_usd"]


def up_axis(up: tuple[float, float, float]) -> str:
    """Return the stage axis nearest to a direction: ``Y`` or ``Z``, the two that USD knows."""
    return "Y" if abs(up[1]) > abs(up[2]) else "Z"


def write_usd(
    mesh: Mesh,
    path: str | os.PathLike[str],
    up: tuple[float, float, float] = (0.0, 0.0, 1.0),
    metres_per_unit: float = 1.0,
) -> list[Path]:
    """Write a mesh as ``/field``; returns every file written, the stage last.

    Nothing is turned or scaled: points are those of the capture, and the stage's ``upAxis`` and
    ``metersPerUnit`` say what they mean. ``primvars:st`` counts from the texture's lower left corner,
    ``displayColor`` is linear.

    Args:
        mesh: Any.
        path: ``.usd`` and ``.usdc`` are binary, ``.usda`` is text.
        up: Direction of the capture's world that points up.
        metres_per_unit: Length of the capture's unit.

    Raises:
        SceneError: A file cannot be written.
        MissingExtraError: usd-core is not installed.
    """
    usd, geometry, values, types = (package(f"pxr.{name}") for name in ("Usd", "UsdGeom", "Vt", "Sdf"))
    place = Path(path)
    stage = usd.Stage.CreateInMemory()
    geometry.SetStageUpAxis(stage, up_axis(up))
    geometry.SetStageMetersPerUnit(stage, metres_per_unit)
    prim = geometry.Mesh.Define(stage, "/field")
    stage.SetDefaultPrim(prim.GetPrim())
    points = mesh.vertices
    if needs_offset(points):
        middle = mesh.bounds.mean(0)
        points = points - middle
        prim.AddTranslateOp(geometry.XformOp.PrecisionDouble).Set(tuple(middle.tolist()))

    def vectors(kind: str, array: Any) -> Any:
        return getattr(values, f"{kind}Array").FromNumpy(np.ascontiguousarray(array, np.float32))

    prim.CreatePointsAttr(vectors("Vec3f", points))
    prim.CreateExtentAttr(vectors("Vec3f", np.stack([points.min(0), points.max(0)])))
    prim.CreateFaceVertexCountsAttr(values.IntArray.FromNumpy(np.full(len(mesh.faces), 3, np.int32)))
    prim.CreateFaceVertexIndicesAttr(values.IntArray.FromNumpy(mesh.faces.reshape(-1).astype(np.int32)))
    prim.CreateSubdivisionSchemeAttr(geometry.Tokens.none)
    if mesh.normals is not None:
        prim.CreateNormalsAttr(vectors("Vec3f", mesh.normals))
        prim.SetNormalsInterpolation(geometry.Tokens.vertex)
    primvars = geometry.PrimvarsAPI(prim)
    if mesh.colours is not None:
        colours = primvars.CreatePrimvar(
            "displayColor", types.ValueTypeNames.Color3fArray, geometry.Tokens.vertex
        )
        colours.Set(vectors("Vec3f", linear(mesh.colours, mesh.encoding)))
    if mesh.uvs is not None:
        st = primvars.CreatePrimvar("st", types.ValueTypeNames.TexCoord2fArray, geometry.Tokens.vertex)
        st.Set(vectors("Vec2f", mesh.uvs))
    written = []
    if mesh.texture is not None:
        written.append(write_texture(mesh, place))
        _material(stage, prim, written[0].name, "sRGB" if mesh.encoding == "srgb_display" else "raw")
    with atomic_path(place, family=SceneError, suffix=place.suffix) as temporary:
        if not stage.GetRootLayer().Export(str(temporary)):
            raise SceneError(f"{place}: USD could not write it; check the path and the disk")
    return [*written, place]


def _material(stage: Any, prim: Any, picture: str, space: str) -> None:
    """Give a mesh a matte preview surface whose colour is a picture beside the stage."""
    shade, types = package("pxr.UsdShade"), package("pxr.Sdf").ValueTypeNames
    material = shade.Material.Define(stage, "/field/material")

    def node(name: str, kind: str) -> Any:
        made = shade.Shader.Define(stage, f"/field/material/{name}")
        made.CreateIdAttr(kind)
        return made

    surface = node("surface", "UsdPreviewSurface")
    surface.CreateInput("roughness", types.Float).Set(1.0)
    surface.CreateInput("metallic", types.Float).Set(0.0)
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    reader = node("st", "UsdPrimvarReader_float2")
    reader.CreateInput("varname", types.String).Set("st")
    texture = node("texture", "UsdUVTexture")
    texture.CreateInput("file", types.Asset).Set(f"./{picture}")
    texture.CreateInput("sourceColorSpace", types.Token).Set(space)
    for axis in ("wrapS", "wrapT"):
        texture.CreateInput(axis, types.Token).Set("clamp")
    reader.CreateOutput("result", types.Float2)
    texture.CreateInput("st", types.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
    texture.CreateOutput("rgb", types.Float3)
    surface.CreateInput("diffuseColor", types.Color3f).ConnectToSource(texture.ConnectableAPI(), "rgb")
    shade.MaterialBindingAPI.Apply(prim.GetPrim()).Bind(material)
