"""How gunicorn serves Spotkeeper: read by `gunicorn wsgi:app` in this folder; options on the command line go before.

Gunicorn's settings reference: https://gunicorn.org/reference/settings/
"""

import resource

worker_class = "serving.worker.WaitingRoomWorker"
workers = 2
threads = 8
sendfile = False  # it would wait for the client
control_socket_disable = True  # there is one place for it a user, and perhaps more than one installation

# A thread takes three files for a database of SQLite, and the rest of the process some; what is left is for clients.
_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
worker_connections = max(min(1000, _files - 3 * threads - 20), threads + 1)
