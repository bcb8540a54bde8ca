"""How long impasto takes, and how much memory it needs.

Every program here has a question of its own. `peers` and `time_to_loss` compare impasto with
others: `plain` is one of them, `pastiche` installs another, `peer_run` measures each in a process
of its own. `picture`, `batch` and `studio_latency` measure what a user waits for. `memory` and
`schedule` are the evidence for the memory plan and for the default iterations.
"""
