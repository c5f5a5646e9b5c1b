"""The small application as several processes serve it, for what has to hold between them."""

from colonnade import Database, Resource, Routes, Settings, create_app, load_settings
from tests.library import Book, Publisher, Shelf
from tests.serving_workers import Named

settings = load_settings(Settings)
database = Database.from_settings(settings, Shelf.metadata)
resources = [Resource(Book, routes=Routes(idempotent=True)), Resource(Publisher)]
app = Named(create_app(resources, settings=settings, database=database))
