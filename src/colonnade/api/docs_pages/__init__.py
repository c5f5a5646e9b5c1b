"""The documentation pages of an application, served whole by itself: no CDN, no inline script, a strict CSP."""

from colonnade.api.docs_pages.pages import add_docs_pages

__all__ = ["add_docs_pages"]
