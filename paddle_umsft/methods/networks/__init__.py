"""The network of the paper and its parts."""
