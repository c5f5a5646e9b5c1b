"""Who may sign in: users, by e-mail address or username; and which passwords they may not choose."""

from app.core.config import settings
from app.core.mail import mail
from app.models import User
from colonnade import Accounts, CommonPasswords

accounts = Accounts(User, login=("email", "username"), mail=mail, public_url=settings.public_url)
common_passwords = CommonPasswords(settings.common_passwords)
