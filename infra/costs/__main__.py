"""`make costs`: write docs/costs.md."""

from infra.costs import page
from infra.costs.prices import ROOT

if __name__ == "__main__":
    (ROOT / "docs" / "costs.md").write_text(page.page())
    print("Wrote docs/costs.md.")
