"""How often somebody may ask: counted in memory for one process, in Redis or SQL where several serve."""
