"""What a page of the site may load and run (Content Security Policy 3): this host's scripts, and those written into it."""

from __future__ import annotations

from jinja2.ext import Extension

_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self' 'nonce-{nonce}'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
# Styles may stand in the page: the library's templates, and the plots, have style attributes, which no nonce can be put to.


def content_policy(nonce: str) -> str:
    """Write the policy of an answer.

    Args:
        nonce: of the scripts that stand in it; another one each time.
    """
    return _POLICY.format(nonce=nonce)


_REPLACED = {
    "<script>": '<script nonce="{{ request.state.nonce }}">',
    # What would be an event handler in the text of the page is bound by a script of ours (`base.html`).
    'onclick="applyColumnVisibility()"': 'data-apply-columns=""',
    'onchange="window.location = this.value"': 'data-leads-on=""',
}


class InlineScripts(Extension):
    """Gives the library's own templates, and ours, what the policy asks of the scripts that stand in them."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Rewrite a template's text before it is read."""
        for found, replacement in _REPLACED.items():
            source = source.replace(found, replacement)
        return source
