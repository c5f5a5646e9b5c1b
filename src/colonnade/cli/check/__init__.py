"""`colonnade check`: what is not as it should be in models, tables and routes, and before a deployment in settings."""
