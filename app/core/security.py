"""Who may sign in: users, by e-mail address or username."""

from app.models import User
from colonnade import Accounts

accounts = Accounts(User, login=("email", "username"))
