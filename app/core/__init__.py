"""What the whole application shares: settings, database, password hashing."""
