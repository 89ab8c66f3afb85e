"""Views of the list under names: one's own, shared ones, and the one that the list opens with."""

import pytest
from flask import Flask

from app.database import db
from app.errors import InvalidInputError, NotFoundError
from app.models import SavedView, User
from app.models.types import Role
from app.services import saved_views
from tests.client import PageClient
from tests.conftest import SignIn


def save(browser: PageClient, name: str, query: str = "state=running", **more: str) -> int:
    """Save a view as the list's form does; its id."""
    browser.get("/views")
    response = browser.send("/views", method="POST", data={"name": name, "query": query, **more})
    assert response.status_code == 303, response.text
    return int(response.headers["Location"].rpartition("view=")[2])


class TestSaving:
    def test_a_view_leads_to_the_list_as_it_was(self, sign_in: SignIn, client1: User) -> None:
        browser = sign_in(client1)
        view_id = save(browser, "  Spot in   Ireland ", "lifecycle=spot&region=eu-west-1&sort=-launched")
        assert "Spot in Ireland" in browser.get_page("/views").text
        location = browser.get(f"/views/{view_id}").headers["Location"]
        assert location == f"/instances?region=eu-west-1&lifecycle=spot&sort=-launched&view={view_id}"
        page = browser.get_page(location)
        assert "Spot in Ireland" in page.text

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("", "Give the view a name."),
            (" ", "Give the view a name."),
            ("a" * 81, "80 characters"),
            ("a\u200bb", "can be seen"),
            ("mINE", "You have another view called"),
        ],
    )
    def test_a_bad_name_is_told_beside_the_field_and_nothing_is_lost(
        self, sign_in: SignIn, client1: User, name: str, words: str
    ) -> None:
        browser = sign_in(client1)
        save(browser, "Mine")
        response = browser.send("/views", method="POST", data={"name": name, "query": "state=stopped"})
        assert response.status_code == 422
        assert words in response.text
        assert 'value="state=stopped"' in response.text

    def test_there_is_an_end_to_them(self, app: Flask, client1: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(saved_views, "MAX_VIEWS", 1)
        with app.app_context():
            saved_views.save_view(client1, "One", "")
            with pytest.raises(InvalidInputError, match="Delete one"):
                saved_views.save_view(client1, "Two", "")

    def test_the_same_name_does_for_two_people(self, any_database: Flask) -> None:
        from tests.factories import make_user

        with any_database.app_context():
            people = [make_user("one"), make_user("two")]
            for person in people:
                saved_views.save_view(person, "Ünused", "")
            with pytest.raises(InvalidInputError):
                saved_views.save_view(people[0], "üNUSED", "")
            db.session.commit()
            assert [view.name for view in saved_views.list_views(people[0])] == ["Ünused"]


class TestSharing:
    def test_admins_share_with_their_role_or_a_lower_one(
        self, app: Flask, client1: User, admin: User, superadmin: User
    ) -> None:
        with app.app_context():
            for name, role in (("own", None), ("admins", Role.ADMIN), ("all", Role.CLIENT)):
                saved_views.save_view(admin, name, "", shared_with=role)
            with pytest.raises(InvalidInputError):
                saved_views.save_view(admin, "up", "", shared_with=Role.SUPER_ADMIN)
            db.session.commit()
            names = {
                who.username: [view.name for view in saved_views.list_views(who)]
                for who in (client1, admin, superadmin)
            }
        assert names == {
            "client1": ["all"],
            "admin": ["admins", "all", "own"],
            "superadmin": ["admins", "all"],
        }

    def test_clients_share_with_nobody(self, app: Flask, sign_in: SignIn, client1: User) -> None:
        with app.app_context(), pytest.raises(InvalidInputError):
            saved_views.save_view(client1, "for you", "", shared_with=Role.CLIENT)
        browser = sign_in(client1)
        browser.get("/views")
        response = browser.send("/views", method="POST", data={"name": "x", "query": "", "shared_with": "client"})
        assert response.status_code == 422

    def test_who_sees_a_shared_view_cannot_change_it(self, sign_in: SignIn, admin: User, client1: User) -> None:
        view_id = save(sign_in(admin), "Ours", shared_with="client")
        browser = sign_in(client1)
        assert "Ours" in browser.get_page("/views").text
        assert browser.get(f"/views/{view_id}").status_code == 302
        assert browser.get(f"/views/{view_id}/edit").status_code == 404
        assert browser.send(f"/views/{view_id}/delete", method="POST").status_code == 404
        assert browser.send(f"/views/{view_id}", method="POST", data={"name": "Mine"}).status_code == 404


class TestChanging:
    def test_it_is_renamed_and_shows_something_else(self, app: Flask, sign_in: SignIn, client1: User) -> None:
        browser = sign_in(client1)
        view_id = save(browser, "Old")
        browser.send(f"/views/{view_id}", method="POST", data={"name": "New"})
        browser.send(f"/views/{view_id}/query", method="POST", data={"query": "state=stopped"})
        with app.app_context():
            view = db.session.get_one(SavedView, view_id)
            assert (view.name, view.query) == ("New", "state=stopped")

    def test_a_deleted_view_can_be_had_back(self, app: Flask, sign_in: SignIn, client1: User) -> None:
        browser = sign_in(client1)
        view_id = save(browser, "Precious", is_default="y")
        browser.send(f"/views/{view_id}/delete", method="POST")
        page = browser.get_page("/views")
        assert "No view is saved yet" in page.text
        assert f"/views/{view_id}/restore" in page.html
        with app.app_context():
            assert saved_views.find_default_view(client1) is None
        browser.send(f"/views/{view_id}/restore", method="POST")
        assert "Precious" in browser.get_page("/views").text
        with app.app_context():
            assert saved_views.find_default_view(client1) is not None

    def test_not_when_its_name_was_taken_meanwhile(self, sign_in: SignIn, client1: User) -> None:
        browser = sign_in(client1)
        view_id = save(browser, "Name")
        browser.send(f"/views/{view_id}/delete", method="POST")
        save(browser, "name")
        browser.send(f"/views/{view_id}/restore", method="POST")
        assert "You have another view called" in browser.get_page("/views").text


class TestFromTheList:
    def test_one_goes_to_a_view_saves_one_and_keeps_what_one_changed(
        self, app: Flask, sign_in: SignIn, client1: User
    ) -> None:
        browser = sign_in(client1)
        view_id = save(browser, "Mine", "state=running")
        page = browser.get_page(f"/views/choose?state=stopped&view={view_id}")
        assert "“Mine” showed something else." in page.text
        browser.send(f"/views/{view_id}/query", method="POST", data={"query": "nonsense=1&state=stopped&cursor=x"})
        with app.app_context():
            assert db.session.get_one(SavedView, view_id).query == "state=stopped"
        assert "Keep this in" not in browser.get_page(f"/views/choose?state=stopped&view={view_id}").text

    def test_the_list_opens_with_ones_default_unless_everything_is_asked_for(
        self, sign_in: SignIn, client1: User
    ) -> None:
        browser = sign_in(client1)
        assert browser.get("/instances").status_code == 200
        view_id = save(browser, "Mine", "state=running", is_default="y")
        assert browser.get("/instances").headers["Location"] == f"/views/{view_id}"
        assert browser.get("/instances?view=0").status_code == 200
        assert browser.get("/instances?state=stopped").status_code == 200

    def test_a_view_that_is_gone_leaves_a_list(self, sign_in: SignIn, client1: User) -> None:
        assert sign_in(client1).get("/instances?view=4242&state=running").status_code == 200


class TestTheDefault:
    def test_it_is_anyones_choice_among_what_they_see(self, app: Flask, admin: User, client1: User) -> None:
        with app.app_context():
            shared = saved_views.save_view(admin, "Ours", "", shared_with=Role.CLIENT)
            own = saved_views.save_view(admin, "Mine", "")
            saved_views.choose_default_view(client1, shared.id)
            with pytest.raises(NotFoundError):
                saved_views.choose_default_view(client1, own.id)
            db.session.commit()
            assert saved_views.find_default_view(client1) == shared
            shared.shared_with = None
            db.session.flush()
            assert saved_views.find_default_view(client1) is None
            saved_views.choose_default_view(client1, None)
            assert saved_views.find_default_view(admin) is None
