"""What proves who somebody is: password hashes, access tokens, refresh tokens, API keys. No table is known here."""
