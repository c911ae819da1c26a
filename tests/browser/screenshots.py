"""Take the README's screenshots of two console pages with a month of demo data (`make screenshots`)."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from infra.engine import EngineError
from tests.browser import chromium
from tests.browser.browser_users import set_session
from tests.browser.console import served

FOLDER = Path(__file__).parents[2] / "docs" / "images"
SHOTS = {"api-keys": ("/settings/keys", 625), "usage": ("/settings/usage", 1075)}
"""The path and the height in pixels of each screenshot."""
WIDTH, SCALE = 1280, 1.5
BYTES_MAX = 200_000


def main() -> int:
    """Write the screenshots; on failure, print an error to standard error and return 1."""
    try:
        _take()
    except (chromium.NoChromium, EngineError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _take() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    executable = chromium.path()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as console, sync_playwright() as playwright:
        ada = console.user("Ada Lovelace", email="ada@example.com", tier="pro")
        console.demo(ada)
        browser = playwright.chromium.launch(executable_path=executable, args=[*chromium.ARGUMENTS])
        for name, (path, height) in SHOTS.items():
            context = browser.new_context(
                base_url=console.url, viewport={"width": WIDTH, "height": height}, device_scale_factor=SCALE
            )
            set_session(context, console, console.session(ada))
            page = context.new_page()
            page.goto(path)
            file = FOLDER / f"{name}.png"
            page.screenshot(path=file)
            print(f"{file.relative_to(Path.cwd())}  {file.stat().st_size / 1000:.0f} KB")
            assert file.stat().st_size < BYTES_MAX, f"{name} is too big for a README."
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
