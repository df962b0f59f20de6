"""Certificates: each pair of a part of ours and its reference, compared and timed in one run."""
