"""Compiled functions of the procedural world; see `dreamplate.compiled` for where they are kept."""
