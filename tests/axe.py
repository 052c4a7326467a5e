"""axe-core, which finds on a page what people with disabilities could not use.

All rules run that its makers switch on by themselves. In the dark the one that looks at colours is
asked again: no other looks at anything that the colour scheme changes.
"""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page

RUN = """async (rules) => {
    const found = await axe.run(document, rules ? { runOnly: rules } : {});
    // what it leaves to people counts too, but for what people have looked at: colours behind a
    // picture, and tables that are empty at that moment
    const known = ["color-contrast", "th-has-data-cells"];
    const unsure = found.incomplete.filter(({ id }) => !known.includes(id));
    return [...found.violations, ...unsure].flatMap(({ id, help, nodes }) =>
        nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 160)}`));
}"""
OF_COLOUR = ["color-contrast"]


class Axe:
    """axe-core, as npm brings it.

    Args:
        modules: the folder ``node_modules``.

    """

    def __init__(self, modules: Path) -> None:
        self._source = (modules / "axe-core" / "axe.min.js").read_text("utf-8")

    async def violations(self, page: Page, *, dark: bool = True) -> list[str]:
        """Return what is wrong with a page, light and then dark.

        Args:
            page: open, with nothing that still moves.
            dark: whether it is looked at in the dark as well.

        """
        if not await page.evaluate("typeof axe === 'object'"):
            # evaluated, not added as a script: the page's policy lets none in
            await page.evaluate(self._source)
        found: list[str] = await page.evaluate(RUN, None)
        if dark:
            await page.emulate_media(color_scheme="dark")
            found += [f"dark: {one}" for one in await page.evaluate(RUN, OF_COLOUR)]
            await page.emulate_media(color_scheme="light")
        return found
