"""The settings of this process, read once; a value that does not fit ends it with one line and exit code 2."""

from colonnade import Settings, settings_or_exit

settings = settings_or_exit(Settings)
