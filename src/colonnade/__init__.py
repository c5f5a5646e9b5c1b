"""Colonnade: declare models and schemas, get a production REST API."""
