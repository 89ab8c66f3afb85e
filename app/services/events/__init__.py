"""Events that AWS sends: faster than reading, and never instead of it; one module a deed.

The rules of order, staleness and foreign accounts are in docs/decisions/0007-what-an-event-may-change.md.
"""
