"""Mail from templates, by a real SMTP server; and what can't be done with its values."""

from __future__ import annotations

import logging
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtplib import SMTPException
from jinja2 import UndefinedError

from colonnade import Database, DeclarationError, JobRun, Mail, Settings
from colonnade.models.mixins import uuid7
from tests.mailbox import mailbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """A folder with one mail of text and HTML, and one of text alone."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "welcome.subject.txt").write_text("Welcome, {{ name }}\n")
    (folder / "welcome.txt").write_text("Hello {{ name }}!\n")
    (folder / "welcome.html").write_text("<p>Hello {{ name }}!</p>\n")
    (folder / "plain.subject.txt").write_text("Plain")
    (folder / "plain.txt").write_text("Nothing but text\n")
    return folder


def mail_of(templates: Path, **given: Any) -> Mail:
    """Make the mail of an application."""
    settings: dict[str, Any] = {"env": "test", "mail_from": "Shop <shop@example.org>", "_env_file": None}
    return Mail(templates, Settings(**settings | given))


def run_of(mail: Mail) -> JobRun:
    """Make an attempt of its job."""
    return JobRun(uuid7(), mail.job.name, 1, Database("sqlite://"))


async def deliver(mail: Mail, template: str = "welcome", /, *, to: str = "ada@example.com", **values: Any) -> JobRun:
    """Ask for a mail, and do what the worker does."""
    request, run = mail.request(template, to=to, **values), run_of(mail)
    await mail.job.perform(run, request.arguments)
    return run


async def test_a_mail_of_text_and_html_arrives(templates: Path) -> None:
    """S27: by real SMTP, with subject, both parts, and the job's id as Message-ID."""
    async with mailbox() as box:
        run = await deliver(mail_of(templates, smtp_url=box.url), name="Ada")
        (message,) = box.messages
    assert (message["From"], message["To"]) == ("Shop <shop@example.org>", "ada@example.com")
    assert (message["Subject"], message["Message-ID"]) == ("Welcome, Ada", f"<{run.id}@example.org>")
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert (text.get_content(), html.get_content()) == ("Hello Ada!\n", "<p>Hello Ada!</p>\n")
    assert (message["Auto-Submitted"], bool(message["Date"])) == ("auto-generated", True)


async def test_a_mail_without_html_has_one_part(templates: Path) -> None:
    """A template without an HTML file is a message of text alone."""
    async with mailbox() as box:
        await deliver(mail_of(templates, smtp_url=box.url), "plain")
        assert box.messages[0].get_content_type() == "text/plain"


async def test_values_are_escaped_in_html_only(templates: Path) -> None:
    """Markup in a value is shown as it was written, in the HTML as in the text."""
    async with mailbox() as box:
        await deliver(mail_of(templates, smtp_url=box.url), name="<b>Ada</b> & co")
        text, html = (box.messages[0].get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content() == "Hello <b>Ada</b> & co!\n"
    assert html.get_content() == "<p>Hello &lt;b&gt;Ada&lt;/b&gt; &amp; co!</p>\n"


@pytest.mark.parametrize("name", ["Ada\nBcc: eve@example.com", "Ada\r\n\r\nbody", "Ada\x00\x0bB", "Ünï 😀"])
async def test_a_value_adds_no_header(templates: Path, name: str) -> None:
    """Whatever stands in a value, the subject is one header, and the recipient the only one."""
    async with mailbox() as box:
        await deliver(mail_of(templates, smtp_url=box.url), name=name)
        (message,), (recipients,) = box.messages, box.recipients
    assert message["Subject"].split() == ["Welcome,", *name.replace("\x00", " ").replace("\x0b", " ").split()]
    assert "Bcc" not in message
    assert recipients == ["ada@example.com"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@x.org",
        "a@x.org, eve@x.org",
        "a@x.org\nBcc: eve@x.org",
        "a@x.org;eve@x.org",
        "<a@x.org>",
        "Ada <a@x.org>",
        "ü,eve@x.org",
        "ü eve@x.org",
        "a@" + "x" * 300 + ".org",
    ],
)
async def test_what_is_not_one_address_gets_nothing(
    templates: Path, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Such a mail is dropped with a line in the log: another attempt would not make it an address."""
    async with mailbox() as box:
        await deliver(mail_of(templates, smtp_url=box.url), "plain", to=address)
        assert box.messages == []
    assert "its address is none" in caplog.text


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("ada@münchen.de", "ada@xn--mnchen-3ya.de"),
        ("grüße@münchen.de", "grüße@xn--mnchen-3ya.de"),
        ("a.b+c@x.org",) * 2,
    ],
)
async def test_addresses_of_the_world_are_reached(templates: Path, address: str, sent: str) -> None:
    """Domains go by their ASCII names (RFC 5890), mailboxes as they are (RFC 6531)."""
    async with mailbox() as box:
        await deliver(mail_of(templates, smtp_url=box.url), "plain", to=address)
        assert box.recipients == [[sent]]


async def test_a_server_that_refuses_is_an_error(templates: Path) -> None:
    """A refusal, or no server at all, is raised: the job is tried again."""
    async with mailbox() as box:
        box.refuses = True
        with pytest.raises(SMTPException):
            await deliver(mail_of(templates, smtp_url=box.url), "plain")
    with pytest.raises((SMTPException, OSError)):
        await deliver(mail_of(templates, smtp_url=box.url), "plain")


async def test_a_password_does_not_go_over_a_network_in_clear(templates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With credentials a server that has no TLS is refused, unless it runs on this machine."""
    async with mailbox() as box:
        monkeypatch.setattr("colonnade.mail.smtp._is_here", lambda host: False)
        with pytest.raises(SMTPException, match="STARTTLS"):
            await deliver(mail_of(templates, smtp_url=box.url.replace("//", "//me:hunter22@")), "plain")
        assert box.messages == []


async def test_a_missing_value_is_an_error(templates: Path) -> None:
    """A name that the template uses and nobody gave is no empty text."""
    async with mailbox() as box:
        with pytest.raises(UndefinedError):
            await deliver(mail_of(templates, smtp_url=box.url))
        assert box.messages == []


def test_a_template_that_is_not_there_is_told_at_once(templates: Path) -> None:
    """Asking for it raises, before anything is stored."""
    with pytest.raises(DeclarationError, match=r"no mail template wellcome\.subject\.txt and wellcome\.txt"):
        mail_of(templates).request("wellcome", to="ada@example.com")


async def test_without_a_server_development_keeps_the_message_in_a_folder(
    templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """S27: the log says where, and shows nothing of the text: a link in it may be a secret."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO)
    run = await deliver(mail_of(templates, env="development"), name="Ada-secret")
    message = message_from_bytes((tmp_path / "outbox" / f"{run.id}.eml").read_bytes(), policy=policy.default)
    assert message["Subject"] == "Welcome, Ada-secret"
    assert f"{run.id}.eml" in caplog.text
    assert "Ada-secret" not in caplog.text


async def test_without_a_server_production_fails(templates: Path) -> None:
    """There a mail is never dropped: the job is kept until SMTP_URL is set."""
    settings = {"database_url": "sqlite:///x.db", "secret_key": "k" * 32}
    with pytest.raises(DeclarationError, match="SMTP_URL is not set"):
        await deliver(mail_of(templates, env="production", **settings), "plain")


def test_the_way_to_the_server_shows_no_password() -> None:
    """Neither does its repr, which a traceback may print."""
    from colonnade.mail.smtp import SMTP

    assert repr(SMTP("smtps://me:hunter22@mail.example")) == "<SMTP mail.example:465>"
