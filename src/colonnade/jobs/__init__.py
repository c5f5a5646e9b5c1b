"""Work that outlives its request: rows written in the caller's transaction, run at least once by a worker."""
