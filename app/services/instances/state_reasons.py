"""What AWS's codes for the reason of a state mean, in plain words.

Source: EC2 API reference, StateReason. A code that AWS adds has no words here, and is shown beside AWS's own message.
"""

WORDS = {
    "Client.InstanceInitiatedShutdown": "It was shut down from within: by its operating system, or somebody on it.",
    "Client.InstanceTerminated": "It was terminated, or restarted, while an image was being made of it.",
    "Client.InternalError": "It could not start; often a volume is encrypted with a key that may not be used for it.",
    "Client.InvalidSnapshot.NotFound": "A snapshot that one of its volumes is made from is not there.",
    "Client.UserInitiatedHibernate": "Somebody hibernated it through AWS; its memory is kept on its root volume.",
    "Client.UserInitiatedShutdown": "Somebody stopped or terminated it through AWS.",
    "Client.VolumeLimitExceeded": "The account's limit on volumes, or on what they hold together, is reached.",
    "Server.InsufficientInstanceCapacity": "AWS had no capacity for this type in this zone.",
    "Server.InternalError": "AWS's own trouble while it was starting.",
    "Server.ScheduledStop": "AWS stopped it as it had announced, as for the retirement of its hardware.",
    "Server.SpotInstanceShutdown": "AWS stopped it: spot capacity was wanted elsewhere, or its price rose too high.",
    "Server.SpotInstanceTermination": "AWS ended it: spot capacity was wanted elsewhere, or its price rose too high.",
}


def explain(code: str) -> str:
    """Our words for a code; empty for one that we have none for."""
    return WORDS.get(code, "")
