"""Plates into plates: sketches, label maps or any passes in, pictures out."""
