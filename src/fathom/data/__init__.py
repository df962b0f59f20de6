"""Data: where it comes from, how it is read, and batches of it."""
