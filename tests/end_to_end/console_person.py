"""A person before the pages of the console: a real browser, real clicks."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, Locator, Page, expect

PATIENCE_MS = 60_000.0
"""For what takes a second or two on a machine that is not busy."""
DESK = {"width": 1200, "height": 900}
PHONE = {"width": 375, "height": 740}


@dataclass
class Person:
    """Somebody with a browser; it keeps cookies of its own."""

    page: Page
    url: str
    pictures: Path | None
    email: str
    password: str = field(repr=False)

    async def open(self, path: str) -> None:
        """Type an address of the console."""
        await self.page.goto(self.url + path)

    async def words(self) -> str:
        """Return what stands on the page."""
        return " ".join((await self.page.locator("main").inner_text()).split())

    async def sees(self, text: str | re.Pattern[str]) -> None:
        """Wait, without a reload, until something stands there."""
        seen = self.page.get_by_text(text).filter(visible=True).first
        await expect(seen).to_be_visible(timeout=PATIENCE_MS)

    async def click(self, name: str, *, role: str = "button") -> None:
        """Click what is called so."""
        await self.named(name, role).click()

    async def follow(self, name: str) -> None:
        """Click a link."""
        await self.click(name, role="link")

    def named(self, name: str, role: str) -> Locator:
        """Return what is called so."""
        return self.page.get_by_role(role, name=name).first  # type: ignore[arg-type]

    async def fill(self, **fields: str) -> None:
        """Fill in fields, by their names."""
        for name, text in fields.items():
            await self.page.fill(f"[name={name}]", text)

    async def picture(self, name: str) -> None:
        """Keep how the page looks, if somebody wants to see it."""
        if self.pictures is None:
            return
        self.pictures.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=self.pictures / f"{name}.png", full_page=True)

    # --- what people do ----------------------------------------------------------------------

    async def set_up(self, link: str, name: str) -> None:
        """Make the first account."""
        await self.page.goto(link)
        await self.picture("set-up")
        await self.fill(name=name, email=self.email, password=self.password, again=self.password)
        await self.click("Create the account")

    async def sign_in(self) -> None:
        """Fill in the form that is open."""
        await self.fill(email=self.email, password=self.password)
        await self.click("Sign in")

    async def confirm(self) -> None:
        """Give the password again, as the page asks before something delicate is done."""
        await self.type_password_again()
        await self.click("Continue")

    async def type_password_again(self) -> None:
        """Fill in the page that asks for it."""
        await self.sees("give your password again")
        await self.picture("password again")
        await self.fill(step_up_password=self.password)

    async def create_token(self, name: str) -> str:
        """Make a token; return what the page shows."""
        await self.open("/tokens/new")
        await self.fill(name=name)
        await self.picture("token form")
        await self.click("Create the token")
        await self.confirm()
        return (await self.page.locator("#token").inner_text()).strip()

    async def read_mail(self, mail: str, label: str) -> None:
        """Open a mail on the page of a mail provider, and follow one of its links."""
        await self.page.route(
            "https://mail.test/",
            lambda route: route.fulfill(content_type="text/html; charset=utf-8", body=mail),
        )
        await self.page.goto("https://mail.test/")
        await self.picture(f"mail {label}")
        await self.follow(label)


async def person(
    browser: Browser, url: str, pictures: Path | None, email: str, *, phone: bool = False
) -> Person:
    """Give somebody a browser that was never used; on a phone in the dark."""
    context = await browser.new_context(
        viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
        color_scheme="dark" if phone else "light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    return Person(await context.new_page(), url, pictures, email, f"a long password of {email}")


async def revoke(owner: Person, what: asyncio.Task[tuple[int, float]]) -> tuple[int, float]:
    """Click through; return the code of the close, and the milliseconds from click to close."""
    clicked = time.monotonic()
    clicking = asyncio.create_task(owner.click("Revoke now"))
    code, at = await what
    await clicking
    return code, (at - clicked) * 1000
