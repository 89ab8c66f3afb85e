"""Discovery: what AWS says of an account's regions, taken into the inventory; one module a deed.

Only a region that was read to its last page changes anything. A region that was not is a `RegionUnread`, which
has no list of instances that could be mistaken for an empty one.
"""
