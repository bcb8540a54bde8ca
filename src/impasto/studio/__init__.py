"""The studio: a local web page where one paints with other people's brushes.

Rooms, from the page down to the work::

    server      everything put together, and served
    page        what is to be seen; controls made from the settings model
    api         named endpoints for programs
    routes      the page's own traffic: pictures in and out, the course of a run
    gate        what comes before all of them: only known paths, only this host
    actions     what a user can do, in plain functions
    job_queue   runs: queued, painted, stopped
    jobs        a run: where it stands, who watches
    painter     a worker, seen from the server
    worker      the process that paints
    history     finished pictures, on disk
    recovery    what a studio that was killed left behind
    orders      what is to be painted, checked
    pictures    what users bring, under limits
    uploads     what programs send and fetch, not for long
    mishaps     what went wrong, in words
    options     how the studio is set up

Nothing in here is imported before ``impasto studio`` runs: Gradio is an extra.
"""
