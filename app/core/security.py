"""Who may sign in: users, by e-mail address or username."""

from app.core.config import settings
from app.core.mail import mail
from app.models import User
from colonnade import Accounts

accounts = Accounts(User, login=("email", "username"), mail=mail, public_url=settings.public_url)
