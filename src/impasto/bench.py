"""The benchmark where it was documented: ``impasto.bench.bench()`` yields its rows."""

from impasto.diagnostics.bench import bench as bench
