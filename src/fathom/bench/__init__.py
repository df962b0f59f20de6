"""Timings side by side: with the book's way of doing a thing, and with a bare loop."""
