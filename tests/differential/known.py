"""The differences that were looked at, from known.toml: the first entry that fits is told."""

import re
from dataclasses import dataclass


@dataclass
class Difference:
    operation: re.Pattern
    ours: re.Pattern
    theirs: re.Pattern
    asked: re.Pattern
    verdict: str
    reason: str
    source: str


class Known:
    """Each entry's `operation`, `ours`, `theirs` and `asked` (the request's body) are regular expressions that must be found."""

    def __init__(self, file):
        self.differences = [
            Difference(
                *(re.compile(entry.get(part, "")) for part in ("operation", "ours", "theirs", "asked")),
                verdict=entry["verdict"],
                reason=entry["reason"],
                source=entry["source"],
            )
            for entry in file.get("difference", [])
        ]

    def reason(self, operation, ours, theirs, entry):
        """Why a difference stands; None when nobody has looked at it."""
        told = [f"{status} {body.get('__type', '')} {body.get('message', body.get('Message', ''))}" for status, body in entry["answers"]]
        for known in self.differences:
            if (
                known.operation.search(operation)
                and known.asked.search(entry["body"])
                and (known.ours.search(ours) or known.ours.search(told[0]))
                and (known.theirs.search(theirs) or known.theirs.search(told[1]))
            ):
                return f"{known.verdict}: {known.reason} [{known.source}]"
        return None
