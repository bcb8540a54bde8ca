"""Training: a network of one's own, from a style and some photographs."""
