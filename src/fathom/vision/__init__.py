"""Algorithms on pixels and boxes, for whole batches, on whatever device they lie on."""
