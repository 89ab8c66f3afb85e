"""The same list as a Flask project has it from Flask-Admin; run by the peers' Python, which has nothing of ours.

`DATABASE` names the database. The view shows the columns of Spotkeeper's list, 50 rows a page, with its filters.
"""

import os

import sqlalchemy as sa
from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_sqlalchemy import SQLAlchemy

COLUMNS = (
    *("name", "instance_id", "account_id", "instance_type", "availability_zone", "lifecycle", "state"),
    *("auth_status", "launched_at"),
)


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.update(SQLALCHEMY_DATABASE_URI=os.environ["DATABASE"], SECRET_KEY="a key for measuring")
    db = SQLAlchemy(app)
    with app.app_context():
        columns = [
            sa.Column(each["name"], each["type"], primary_key=each["name"] == "id")
            for each in sa.inspect(db.engine).get_columns("instances")
        ]

    class Instance(db.Model):  # type: ignore[misc, name-defined]  # made while it runs
        __table__ = sa.Table("instances", db.metadata, *columns)

    class Instances(ModelView):  # type: ignore[misc]  # Flask-Admin is not installed here
        can_create = can_edit = can_delete = False
        column_list = COLUMNS
        column_filters = ("region", "state", "lifecycle", "instance_type")
        column_default_sort = ("name", False)
        page_size = 50

    admin = Admin(app, name="Fleet")
    admin.add_view(Instances(Instance, db, endpoint="instances"))
    return app
