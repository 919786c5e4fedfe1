"""Whether two answers are the same, and to which class a difference belongs."""

import json
import re

SETS = {"SS", "NS", "BS"}
# Lists whose order DynamoDB does not promise.
UNORDERED = {"Responses", "ConsumedCapacity", "AttributeDefinitions", "LocalSecondaryIndexes", "GlobalSecondaryIndexes"}
_COUNTED = "1 validation error detected: "
_VALUE_AT = re.compile(r"Value .*? at '([^']*)", re.DOTALL)
_NEW_AT = re.compile(r"Value at '([^']*)")
_BRACES = re.compile(r"\{([^{}]*)\}|\[([^\[\]]*)\]")


def _sorted(members):
    return sorted(members, key=lambda member: json.dumps(member, sort_keys=True))


def _without_order(body, operation, place=""):
    if isinstance(body, dict):
        return {name: _without_order(inner, operation, name) for name, inner in body.items()}
    if isinstance(body, list):
        members = [_without_order(inner, operation, "member") for inner in body]
        positional = operation in ("TransactGetItems", "BatchExecuteStatement", "ExecuteTransaction") and place == "Responses"
        inside = operation == "BatchGetItem" or (operation in ("Scan", "Query", "ExecuteStatement") and place == "Items")
        if place in SETS or (place in UNORDERED and not positional) or inside:
            return _sorted(members)
        return members
    return body


def _message(text):
    """A sentence without the order of what it lists."""

    def ordered(match):
        inner = match.group(1) if match.group(1) is not None else match.group(2)
        return match.group(0)[0] + ", ".join(sorted(inner.split(", "))) + match.group(0)[-1]

    return _BRACES.sub(ordered, text)


def _one_wording(ours, theirs):
    """Both sentences without what AWS's newer wording, which the peer speaks and we do not, leaves out or puts in front."""
    if not (isinstance(ours, str) and isinstance(theirs, str)):
        return ours, theirs
    if theirs.startswith(_COUNTED) and not ours.startswith(_COUNTED):
        theirs = theirs.removeprefix(_COUNTED)
    if "Value at '" in theirs:
        ours, theirs = _VALUE_AT.sub(lambda match: f"Value at '{match.group(1).lower()}", ours), _NEW_AT.sub(
            lambda match: f"Value at '{match.group(1).lower()}", theirs
        )
    return ours, theirs


def normal(answer, operation):
    """An answer in the form in which it is compared."""
    status, body = answer
    if status != 200 and isinstance(body, dict):
        body = dict(body)
        text = body.pop("message", body.pop("Message", ""))
        body["message"] = _message(text) if isinstance(text, str) else text
    return status, _without_order(body, operation)


def _template(text):
    """A sentence without what is particular to one request."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"|\{[^{}]*\}", "…", text)
    text = re.sub(r"[#:]\w[\w.]*|-?\d[\d.eE+-]*", "N", text)
    return re.sub(r"(:|: \w+,?)+$", "", text)[:150]


def _told(answer):
    status, body = answer
    if status == 200:
        return "200"
    kind = str(body.get("__type", "")).split("#")[-1]
    reasons = [f"{reason.get('Code')}({_template(str(reason.get('Message', '')))})" for reason in body.get("CancellationReasons", [])]
    return f"{status} {kind}: {_template(str(body.get('message', '')))}" + (f" {sorted(set(reasons))}" if reasons else "")


def _where(left, right, place=""):
    """The first member at which two bodies differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted(set(left) | set(right)):
            if left.get(name, ...) != right.get(name, ...):
                return _where(left.get(name, ...), right.get(name, ...), f"{place}.{name}")
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for one, other in zip(left, right, strict=True):
            if one != other:
                return _where(one, other, f"{place}[]")
    if left is ... or right is ...:
        return f"{place} is {'missing' if left is ... else 'there'}"
    return place or "."


def difference(ours, theirs, operation):
    """None, or the class of the difference: what we say, what the peer says."""
    ours, theirs = normal(ours, operation), normal(theirs, operation)
    if 200 not in (ours[0], theirs[0]):
        ours[1]["message"], theirs[1]["message"] = _one_wording(ours[1]["message"], theirs[1]["message"])
        if all("SerializationException" in str(body.get("__type")) for _, body in (ours, theirs)):
            # The peer says what its own decoder says.
            ours[1]["message"] = theirs[1]["message"] = ""
    if ours == theirs:
        return None
    if ours[0] == theirs[0] == 200:
        return f"200 differs at {_where(ours[1], theirs[1])}", "200"
    told = _told(ours), _told(theirs)
    if told[0] == told[1]:
        place = _where(ours[1], theirs[1])
        exact = (ours[1].get("message"), theirs[1].get("message")) if place == ".message" else ("", "")
        return f"{told[0]} at {place} {exact[0][:200]}", f"{told[1]} {exact[1][:200]}"
    return told
