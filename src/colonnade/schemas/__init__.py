"""Wire shapes: deriving a schema from a model, seeing through one, fitting values into columns."""
