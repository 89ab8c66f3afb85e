"""Rules of authorization: what they say, which instances they allow, and keeping the instances to them."""
