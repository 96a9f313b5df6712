"""The two degradations as layers, learned or known, and the warm-up that learns them."""
