"""Instances: listing, reading one, authorizing; one module a deed."""
