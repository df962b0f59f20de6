"""Fathom: the techniques of *Dive into Deep Learning*, to read, to run and to build on."""

__version__ = "0.1.0"
