"""The studio: a local web page where one paints with other people's brushes.

Rooms, from the page down to the work::

    server      everything put together, and served
    page        what is to be seen; controls made from the settings model
    api         named endpoints for programs
    routes      the page's own traffic: pictures in and out, the course of a run
    gate        what comes before all of them: only known paths, only this host
    actions     what a user can do, in plain functions
    jobs        runs: queued, watched, stopped
    worker      the process that paints
    history     finished pictures, on disk
    orders      what is to be painted, checked
    pictures    what users bring, under limits
    options     how the studio is set up

Nothing in here is imported before ``impasto studio`` runs: Gradio is an extra.
"""
