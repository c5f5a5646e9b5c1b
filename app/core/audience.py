"""Whom policies speak of, beside `anyone` and `signed_in`."""

from app.models.user import UserRole
from colonnade import role

staff = role(UserRole.STAFF)
administrators = role(UserRole.ADMIN)
