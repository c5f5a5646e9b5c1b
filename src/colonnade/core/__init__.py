"""What every room may use: the error tree, the settings, JSON as it stands on the wire."""
