"""uHNTC (FeafusFormer), the first form of the method: one network of transformer and convolutions."""
