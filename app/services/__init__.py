"""What the product does: queries and commands by noun. Services flush, and never commit."""
