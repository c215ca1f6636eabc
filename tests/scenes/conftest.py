"""Shared by the tests of scenes."""
