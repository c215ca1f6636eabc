"""Surfaces of fields: meshes, textures, point clouds and splats, in the world of the capture."""
