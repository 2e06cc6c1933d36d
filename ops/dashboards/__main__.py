"""``python -m ops.dashboards``: writes everything that is generated, from the root of the repository."""

from pathlib import Path

from ops.dashboards import DASHBOARDS
from ops.dashboards.grafana import as_json
from ops.dashboards.pages import metrics_page, screens_page

OPS = Path(__file__).parent.parent


def generated() -> dict[Path, str]:
    """Each generated file with what belongs in it."""
    files = {OPS / "grafana" / "dashboards" / f"{screen.uid}.json": as_json(screen) for screen in DASHBOARDS}
    files[OPS / "metrics.md"] = metrics_page()
    files[OPS / "dashboards" / "README.md"] = screens_page(DASHBOARDS)
    return files


def main() -> None:
    """Write them all."""
    for path, text in generated().items():
        path.write_text(text)
        print(path.relative_to(OPS.parent))


if __name__ == "__main__":
    main()
