"""Views, one module a noun: read the request, call a service, render or redirect."""
