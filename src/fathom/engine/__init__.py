"""Time: the loop, updates, watchers, runs, checkpoints. It knows `core` and nothing else of ours."""
