"""The studio: a local web page to paint in.

Read `studio` first: it has everything that a user can do, in plain functions. `page` shows what
there is to see, `server` puts the parts together.

From a click on Paint to the picture::

    browser           the page's script sends its pictures, regions and settings as an order
    page_events       hands the order to `Studio.paint` (a program's call comes through `api`)
    studio_order      checks it: pictures by token (`picture_store`), settings, masks
    order_files       copies its pictures into a folder of the history
    job_queue         lets the job wait for a worker
    painting_process  gives it to a worker, a process of its own, and listens
    painting_worker   paints in that process; sends each step, and previews
    studio_job        keeps what was sent: the progress, the latest preview, the loss curve
    page_routes       streams that to the page, which fetches each preview
    picture_folder    at the end the worker writes the picture and the frames of its film
    picture_history   lists the picture, and hands it out as PNG, JPEG, TIFF, GIF or MP4

Beside that way: `request_filter` stands before every request, `recovery` clears up after a studio
that was killed, `upload_folder` removes what programs no longer need. `assets` has the page's own
scripts.

Only `studio_options` is imported before ``impasto studio`` runs: Gradio is an extra.
"""
