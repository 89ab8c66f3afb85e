"""AWS accounts: connecting, verifying, listing, changing; one module a deed."""
