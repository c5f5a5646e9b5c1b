"""The use cases of accounts: signing in and out, sessions, passwords, API keys, and telling who sends a request."""
