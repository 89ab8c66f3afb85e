"""Who may know whom: the layers of pyproject.toml, and which library is whose."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"

#: Library -> where it may be imported (prefixes of paths below app/).
HOMES = {
    "flask": ("web/", "api/", "cli/", "tasks/", "__init__.py", "extensions.py", "database.py"),
    "flask_login": ("web/", "extensions.py", "models/user.py"),
    "boto3": ("aws/",),
    "botocore": ("aws/",),
    "celery": ("tasks/",),
    "kombu": ("tasks/",),
    "sqlalchemy": ("services/", "models/", "tasks/", "database.py", "bulk.py", "columns.py", "config.py"),
}


def imports_of(path: Path) -> set[str]:
    """The libraries that a module imports anywhere; what is only for type checkers does not count."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.If) and ast.unparse(outer.test) == "TYPE_CHECKING"
        for node in ast.walk(outer)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("library", HOMES)
def test_a_library_stays_in_its_home(library: str) -> None:
    strays = [
        name
        for path in sorted(APP.rglob("*.py"))
        if library in imports_of(path) and not (name := str(path.relative_to(APP))).startswith(HOMES[library])
    ]
    assert strays == [], f"{library} belongs in {HOMES[library]} only"


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def loaded_by_the_web_process(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    environment = {
        "INSTANCE_PATH": str(tmp_path_factory.mktemp("web")),
        "PATH": "",
        "SPOTKEEPER_ENV": "development",
    }
    result = subprocess.run(
        [sys.executable, "-c", "import sys, wsgi; print(*sys.modules)"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_the_web_process_loads_nothing_that_talks_to_aws_or_does_jobs(loaded_by_the_web_process: set[str]) -> None:
    strays = loaded_by_the_web_process & {"boto3", "botocore", "s3transfer", "lxml", "moto", "celery", "kombu"}
    assert not strays, "A page never waits for AWS: import aws/ modules that load boto3 in tasks/ only"


def test_the_web_process_loads_nothing_large_that_serves_no_page(loaded_by_the_web_process: set[str]) -> None:
    strays = loaded_by_the_web_process & {"alembic", "flask_migrate", "zxcvbn", "psycopg", "pymysql"}
    assert not strays, "Import these where they are used: together they are 35 MiB in every process"
