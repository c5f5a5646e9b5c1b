"""Mail from templates, by SMTP, through jobs."""
