"""The one look over all that a viewer may see: what needs somebody, what runs where, what was read last."""
