"""What becomes of an installation whose parts are killed, frozen, cut off and fed twice: `make chaos`.

Long, and printed as tables; the suite holds a small one of each (tests/integration/runs/test_survival.py).
"""
