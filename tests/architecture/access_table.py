"""The one table of who may open what; `test_access.py` really requests every line of it.

Columns: anonymous, client1, client2, client3, admin, superadmin. Objects in an address are client1's: its account and
the instance in it, its session, its view; `user_id` is client3.

    +  may (the answer is a page, a redirect within the console, or a form that is sent back for its missing fields)
    ?  is asked to sign in (401, or a redirect to /sign-in)
    -  may not (403)
    0  is told that there is no such thing (404), as for a number that nobody has
"""

VIEWERS = ("anonymous", "client1", "client2", "client3", "admin", "superadmin")

TABLE = {
    # Anybody.
    "GET static": "+ + + + + +",
    "GET health.alive": "+ + + + + +",
    "GET health.ready": "+ + + + + +",
    "GET auth.sign_in": "+ + + + + +",
    "POST auth.submit_sign_in": "+ + + + + +",
    "POST auth.sign_out": "+ + + + + +",
    "POST me.theme": "+ + + + + +",
    # Machines, by a secret that each request carries: whoever is signed in is nobody here.
    "POST events.receive": "? ? ? ? ? ?",
    # Oneself.
    "GET me.show": "? + + + + +",
    "POST me.update": "? + + + + +",
    "GET me.password": "? + + + + +",
    "POST me.update_password": "? + + + + +",
    "GET me.confirm": "? + + + + +",
    "POST me.submit_confirm": "? + + + + +",
    "POST me.revoke": "? + 0 0 0 0",
    "POST me.revoke_others": "? + + + + +",
    # Accounts: the owner's; admins ask AWS again, super admins tidy up, credentials are the owner's affair alone.
    "GET accounts.index": "? + + + + +",
    "GET accounts.table": "? + + + + +",
    "GET accounts.new": "? + + + + +",
    "POST accounts.new": "? + + + + +",
    "GET accounts.policy": "? + + + + +",
    "GET accounts.show": "? + 0 0 + +",
    "GET accounts.progress": "? + 0 0 + +",
    "POST accounts.verify": "? + 0 0 + +",
    "POST accounts.discover": "? + 0 0 + +",
    "POST account_permissions.check": "? + 0 0 + +",
    "GET accounts.rename": "? + 0 0 - +",
    "POST accounts.rename": "? + 0 0 - +",
    "POST accounts.name_role": "? + 0 0 - -",
    "GET accounts.credentials": "? + 0 0 - -",
    "POST accounts.credentials": "? + 0 0 - -",
    "POST accounts.withdraw": "? + 0 0 - -",
    "GET accounts.found": "? + 0 0 + +",
    "GET accounts.allow": "? + 0 0 - -",
    "POST accounts.allow": "? + 0 0 - -",
    "GET accounts.template": "? + 0 0 - -",
    "GET account_events.show": "? + 0 0 - -",
    "POST account_events.switch_on": "? + 0 0 - -",
    "POST account_events.switch_off": "? + 0 0 - -",
    "GET account_events.template": "? + 0 0 - -",
    "GET accounts.disconnect": "? + 0 0 - +",
    "POST accounts.disconnect": "? + 0 0 - +",
    # Its runs: who may ask for one may stop it.
    "GET runs.index": "? + 0 0 + +",
    "GET runs.show": "? + 0 0 + +",
    "POST runs.cancel": "? + 0 0 + +",
    # Readings over all of one's accounts.
    "GET dashboard.index": "? + + + + +",
    "GET instances.index": "? + + + + +",
    "GET instances.show": "? + 0 0 + +",
    "GET instances.download": "? + 0 0 + +",
    "GET instances.filters": "? + + + + +",
    "GET instances.choose_display": "? + + + + +",
    "POST instances.display": "? + + + + +",
    "GET instance_comparison.show": "? + 0 0 + +",
    "GET past.index": "? + + + + +",
    "GET changes.index": "? + + + + +",
    "POST changes.mark": "? + + + + +",
    "POST instances.authorize": "? - - - + +",
    "GET instances.choose_matching": "? - - - + +",
    "POST instances.authorize_matching": "? - - - + +",
    "POST instances.undo": "? - - - + +",
    "GET exports.new": "? + + + + +",
    "POST exports.create": "? + + + + +",
    "GET exports.latest": "? + + + + +",
    "GET saved_views.index": "? + + + + +",
    "GET saved_views.choose": "? + + + + +",
    "POST saved_views.create": "? + + + + +",
    "POST saved_views.choose_default": "? + + + + +",
    "GET saved_views.show": "? + 0 0 0 0",
    "GET saved_views.edit": "? + 0 0 0 0",
    "POST saved_views.update": "? + 0 0 0 0",
    "POST saved_views.keep": "? + 0 0 0 0",
    "POST saved_views.delete": "? + 0 0 0 0",
    "POST saved_views.restore": "? + 0 0 0 0",
    # Rules of authorization: whose accounts they cover may read them, admins make them.
    "GET rules.index": "? + + + + +",
    "GET rules.show": "? + 0 0 + +",
    "GET rules.new": "? - - - + +",
    "POST rules.new": "? - - - + +",
    "GET rules.change": "? - - - + +",
    "POST rules.change": "? - - - + +",
    "GET rules.act": "? - - - + +",
    "POST rules.act": "? - - - + +",
    "POST rules.decide": "? - - - + +",
    "GET experiments.index": "? + + + + +",
    "GET downtime.index": "? + + + + +",
    # The installation's log: admins.
    "GET system_logs.index": "? - - - + +",
    "GET system_logs.newer": "? - - - + +",
    "POST system_logs.export": "? - - - + +",
    # People: super admins.
    "GET users.index": "? - - - - +",
    "GET users.new": "? - - - - +",
    "POST users.create": "? - - - - +",
    "GET users.show": "? - - - - +",
    "POST users.change_role": "? - - - - +",
    "POST users.disable": "? - - - - +",
    "POST users.enable": "? - - - - +",
    "POST users.reset_password": "? - - - - +",
}
