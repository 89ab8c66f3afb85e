"""The numbered revisions lead to what the models say, and back to nothing, on every database."""

from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from flask import Flask

from app import MIGRATIONS
from app.database import db
from tests.databases import EVERY_KIND, Databases

Schema = dict[str, object]


def revisions() -> list[str]:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


@pytest.fixture(params=EVERY_KIND)
def empty(request: pytest.FixtureRequest, databases: Databases) -> Flask:
    """An application on a database without a single table."""
    return databases.app_on(databases.create(request.param))


def read_schema() -> Schema:
    """Everything that the database says about its tables, but Alembic's own."""
    inspector = sa.inspect(db.engine)
    # Of all tables at once: asking for each alone was most of what these tests took.
    columns, keys = inspector.get_multi_columns(), inspector.get_multi_pk_constraint()
    foreign, unique = inspector.get_multi_foreign_keys(), inspector.get_multi_unique_constraints()
    checks, indexes = inspector.get_multi_check_constraints(), inspector.get_multi_indexes()
    return {
        table[1]: {
            # By name, for a column that was added later stands last.
            "columns": sorted((c["name"], str(c["type"]), c["nullable"], str(c["default"])) for c in columns[table]),
            "key": keys[table],
            "foreign": sorted(map(str, foreign[table])),
            "unique": sorted(map(str, unique[table])),
            "checks": sorted(map(str, checks[table])),
            "indexes": sorted(map(str, indexes[table])),
        }
        for table in columns
        if table[1] != "alembic_version"
    }


class TestMigrations:
    def test_they_lead_up_down_to_nothing_and_up_to_the_same(self, empty: Flask) -> None:
        with empty.app_context():
            flask_migrate.upgrade()
            first = read_schema()
            flask_migrate.downgrade(revision="base")
            assert read_schema() == {}
            flask_migrate.upgrade()
            assert read_schema() == first
            assert set(first) == set(db.metadata.tables)

    def test_each_revision_alone_goes_up_and_down(self, empty: Flask) -> None:
        with empty.app_context():
            before = read_schema()
            for revision in revisions():
                flask_migrate.upgrade(revision=revision)
                after = read_schema()
                assert after != before
                flask_migrate.downgrade(revision="-1")
                assert read_schema() == before
                flask_migrate.upgrade(revision=revision)
                assert read_schema() == after
                before = after

    def test_a_second_upgrade_changes_nothing(self, empty: Flask) -> None:
        with empty.app_context():
            flask_migrate.upgrade()
            first = read_schema()
            flask_migrate.upgrade()
            assert read_schema() == first

    def test_they_agree_with_the_models(self, any_database: Flask) -> None:
        result = any_database.test_cli_runner().invoke(args=["db", "check"])
        assert result.exit_code == 0, result.output

    def test_the_checks_of_the_models_are_in_the_database(self, any_database: Flask) -> None:
        """`flask db check` does not compare CHECKs, nor the rules of foreign keys."""
        with any_database.app_context():
            inspector = sa.inspect(db.engine)
            for table in db.metadata.tables.values():
                named = {str(c.name) for c in table.constraints if isinstance(c, sa.CheckConstraint)}
                found = {str(check["name"]) for check in inspector.get_check_constraints(table.name)}
                assert named <= found
                rules = {str(key.name): key.ondelete for key in table.foreign_key_constraints}
                stored = {
                    str(key["name"]): key["options"].get("ondelete") for key in inspector.get_foreign_keys(table.name)
                }
                # RESTRICT is what a database does anyway, and MariaDB does not mention it.
                assert stored == {name: rule if stored[name] else None for name, rule in rules.items()}
                assert all(stored[name] for name, rule in rules.items() if rule != "RESTRICT")

    def test_the_models_alone_make_the_same_schema(self, empty: Flask, databases: Databases) -> None:
        with empty.app_context():
            flask_migrate.upgrade()
            migrated = read_schema()
            flask_migrate.downgrade(revision="base")
            db.create_all()
            assert read_schema() == migrated

    @pytest.mark.mariadb
    def test_mariadb_keeps_every_table_in_utf8mb4_and_innodb(self, mariadb_database: Flask) -> None:
        with mariadb_database.app_context(), db.engine.connect() as connection:
            found = connection.exec_driver_sql(
                "SELECT DISTINCT engine, table_collation FROM information_schema.tables WHERE table_schema = database()"
            ).all()
        assert [(engine, collation.split("_")[0]) for engine, collation in found] == [("InnoDB", "utf8mb4")]


def test_the_migrations_are_where_the_application_looks() -> None:
    assert (Path(MIGRATIONS) / "env.py").is_file()
