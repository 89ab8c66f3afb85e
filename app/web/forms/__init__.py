"""Forms, one module a noun: the shape of what people type."""
