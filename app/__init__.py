"""The reference application: a small shop with users and their posts, on Colonnade's public names only."""
