"""How requests get from clients to the application, and answers back: gunicorn's worker, with patience for the slow.

Knows gunicorn and sockets, and nothing of the application.
"""
