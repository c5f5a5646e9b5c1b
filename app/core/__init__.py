"""What the whole application shares: settings, database, accounts, mail."""
