"""One picture painted by a cluster: its tiles are worked on by Ray's processes on other machines.

`crew` has the workers of a cluster: it starts them, and notices which are lost. `ray_passes` is
what an objective sees: both passes over a picture, made by the crew. `tile_worker` is what runs on
the nodes. Read `ray_passes` first. Which levels are worked on in this way, `painting` says.
"""
