"""Notifications of a home: its transports, made of configuration and sealed secrets."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

from gateway.config import Config, ConfigError
from gateway.notify.secrets import NotifySecrets, SecretName
from gateway.notify.transports import (
    Apprise,
    DeliveryRefused,
    NotTaken,
    Ntfy,
    OwnerMail,
    Telegram,
    Transport,
    Webhook,
)


def transports_of(config: Config, home: Path, secrets: NotifySecrets) -> dict[str, Transport]:
    """Return the transports that are configured, by name.

    Raises:
        ConfigError: one lacks its secret or its package; the message says what to do.

    """
    settings = config.notify
    found: dict[str, Transport] = {}
    if settings.webhook_url:
        found["webhook"] = Webhook(settings.webhook_url, _needed(secrets, "webhook"))
    if settings.ntfy_topic:
        found["ntfy"] = Ntfy(settings.ntfy_url, settings.ntfy_topic, secrets.get("ntfy"))
    if settings.telegram_chat:
        token = _needed(secrets, "telegram")
        found["telegram"] = Telegram(settings.telegram_url, token, settings.telegram_chat)
    if settings.mail_to:
        found["mail"] = _mail(config, home)
    if settings.apprise:
        found["apprise"] = _apprise(_needed(secrets, "apprise"))
    if settings.events and not found:
        raise ConfigError(
            "[notify] events: name also where to tell them: webhook_url, ntfy_topic, "
            "telegram_chat, mail_to or apprise"
        )
    return found


def _needed(secrets: NotifySecrets, name: SecretName) -> str:
    secret = secrets.get(name)
    if secret is None:
        raise ConfigError(f"[notify] {name} has no secret yet: mt-gateway notify secret {name}")
    return secret


def _apprise(urls: str) -> Apprise:
    try:
        return Apprise(urls)
    except ImportError:
        raise ConfigError(
            "[notify] apprise: it is not installed: pip install 'mt-gateway[notify]'"
        ) from None
    except ValueError as error:
        raise ConfigError(f"[notify] apprise: {error}; see mt-gateway notify secret") from None


def _mail(config: Config, home: Path) -> OwnerMail:
    # only who sends mails waits for the mail library
    from gateway.console.mail.transports import MailError, Undeliverable, transport_for
    from gateway.console.settings import ConsoleSettings

    transport = transport_for(ConsoleSettings.of(config).smtp, home)

    async def carry(mail: EmailMessage, address: str) -> None:
        try:
            await transport.carry(mail, address)
        except Undeliverable as error:
            raise DeliveryRefused(str(error)) from None
        except MailError as error:
            raise NotTaken(str(error)) from None

    return OwnerMail(carry, config.smtp.sender, config.notify.mail_to)
