"""What AWS says: the only room that knows boto3. No Flask, no database.

`formats`, `credentials`, `cloudformation`, `event_template` and `records` are pure and may be imported by the web
process; all others belong to jobs. This file imports nothing, so that importing a pure module never
costs the botocore start-up.
"""
