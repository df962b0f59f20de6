"""Figures: curves, pictures, charts, drawn with no display, as SVG, PNG and text."""
