"""What clients send and see, apart from the tables: one file per resource, `Create`, `Update` and `Response`."""
