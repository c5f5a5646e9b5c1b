"""The use cases: reading, writing, and the hooks in which an application says its own rules."""
