"""Write the page of the certificate, and the README's table of it, from the certificate's file.

    spaceforms certify --full --minutes 5 --against geoopt textbook --json docs/accuracy.json
    python benchmarks/accuracy_page.py

Every number between the markers in README.md and in docs/accuracy.md comes from that file.
"""

import json
from pathlib import Path

from marked import write_between

from spaceforms.validation.certificate.backends import CPU
from spaceforms.validation.certificate.certificate import Row
from spaceforms.validation.certificate.report import as_page, kept, peers_table

ROOT = Path(__file__).resolve().parent.parent
SHOWN = ("dist", "expmap", "logmap", "transport")


def main() -> None:
    """Write both."""
    result = json.loads((ROOT / "docs/accuracy.json").read_text(encoding="utf-8"))
    (ROOT / "docs/accuracy.md").write_text(as_page(result), encoding="utf-8")
    eager = [row for row in (Row(**r) for r in result["rows"]) if row.backend == CPU.name]
    rows = [row for row in eager if row.map in SHOWN]
    own = [row for row in eager if row.library == "spaceforms"]
    judged, drawn = sum(row.judged for row in own), sum(row.problems for row in own)
    hard, steps = sum(row.hard for row in own), sum(row.climbed for row in own)
    table = (
        f"{kept(own)}\n\n"
        f"{judged:,} of {drawn:,} results were judged (the others are beyond the edge of their "
        f"dtype, at a kink, or known to hardly a digit), {hard:,} of them of hard cases, and "
        f"{steps:,} steps of climbing were made from the worst.\n\n"
        f"Worst error of values in float32, in units of u (1 + kappa) ({result['date']}, torch "
        f"{result['torch']}); in brackets how many results are NaN or infinite and should not be; "
        "*raw*: the worst relative error of a well-conditioned problem.\n\n" + peers_table(rows)
    )
    write_between(ROOT / "README.md", "accuracy", table)


if __name__ == "__main__":
    main()
