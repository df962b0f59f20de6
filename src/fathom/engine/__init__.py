"""Time: the loop, updates, watchers, runs, checkpoints. Of ours it knows `core` only."""
