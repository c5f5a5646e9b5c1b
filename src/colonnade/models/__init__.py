"""The declarative base, its column types and mixins, and the facts read off a mapped class."""
