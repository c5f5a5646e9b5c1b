"""The routes of accounts, and how a request says whose it is."""
