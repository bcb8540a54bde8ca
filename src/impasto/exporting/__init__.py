"""Exports: a model as ONNX for other programs, and as a page that paints in any browser."""
