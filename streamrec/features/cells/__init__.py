"""What is kept of a stream of values, one cell a key: each aggregate over each window, pure and bounded. `base` first."""
