"""Which commit of ecgedge runs: of the checkout it lies in, or of the one that pip was pointed at."""

import json
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_PACKAGE = Path(__file__).parent


def commit() -> str | None:
    """Forty hex digits, with `+` behind them where files of the package were changed since; None for a release."""
    return _commit_of_checkout() or _commit_of_install()


def _commit_of_checkout() -> str | None:
    """None where the package is not itself under git: a virtual environment may lie in somebody else's checkout."""
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    changed = "+" if _git("status", "--porcelain", "--untracked-files=no", ".") else ""
    found = _git("rev-parse", "HEAD")
    return f"{found}{changed}" if found else None


def _commit_of_install() -> str | None:
    with suppress(PackageNotFoundError, ValueError):
        facts = json.loads(distribution("ecgedge").read_text("direct_url.json") or "{}")
        found = facts.get("vcs_info", {}).get("commit_id")
        return str(found) if found else None
    return None


def _git(*arguments: str) -> str | None:
    with suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(
            ["git", "-C", str(_PACKAGE), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
        return found.stdout.strip()
    return None
