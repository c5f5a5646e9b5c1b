"""Answers that cost more than a look at a cache, kept for as long as nothing that they show was changed."""

from colonnade.cache.answers import Answers, Wanted
from colonnade.cache.declaration import Cache

__all__ = ["Answers", "Cache", "Wanted"]
