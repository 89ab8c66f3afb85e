"""The tests: unit (no database, no network), integration (real parts), browser, architecture."""
