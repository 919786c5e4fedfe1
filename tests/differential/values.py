"""Random attribute values, sane and not: every type, numbers at the edges, sets, nesting."""

import base64

# Near 38 digits, the two ends of the exponent, and other spellings of the same number.
NUMBERS = [
    "0", "-0", "0.0", "1", "1.0", "1.00", "01", "+1", "-1", "10", "1e1", "1E+1", "0.1", ".1", "1.", "5", "100", "3.14",
    "12345678901234567890123456789012345678", "99999999999999999999999999999999999999",
    "1234567890123456789012345678901234567.8", "123456789012345678901234567890123456789",
    "0.00000000000000000000000000000000000001", "1e-130", "1e-131", "-1e-130", "9.99e125", "1e125", "1e126", "9.9999e126",
    "9.9999999999999999999999999999999999999e125", "-9.9999999999999999999999999999999999999e125", "1e400", "1e-400",
    "1.5e3", "-2.50", "100000000000000000000000000000000000000000", "1" + "0" * 125, "0." + "0" * 129 + "1",
]  # fmt: skip
NOT_NUMBERS = ["", " ", "a", "1a", "1 ", " 1", "NaN", "Infinity", "-Infinity", "1e", "e1", "1e+", "--1", "0x10", "1_0", "1,0", "١"]
STRINGS = ["", "a", "b", "aa", "ab", "abc", "A", "z", "é", "e\u0301", "\u0000", "日本", "😀", "\ufffd", " ", "a b", "0", "10"]
BINARIES = [b"", b"a", b"\x00", b"\xff", b"ab", b"abc", b"\x00\x01"]
NOT_BASE64 = ["?", "YQ", "Y=Q=", "Y Q==", "YQ==YQ==", "=", "YR==", "YQ=", "_-8="]
TYPES = ["S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"]


def b64(raw):
    return base64.b64encode(raw).decode()


def number(random):
    if random.random() < 0.6:
        return str(random.randint(-3, 12))
    return random.choice(NUMBERS)


def string(random):
    return random.choice(STRINGS)


def binary(random):
    return b64(random.choice(BINARIES))


def _members(random, make, wanted):
    """Some members of a set, mostly without equal ones."""
    members = []
    for _ in range(wanted):
        member = make(random)
        if member not in members or random.random() < 0.05:
            members.append(member)
    return members


def value(random, depth=0, kind=None):
    """A value that is mostly a right one."""
    kind = kind or random.choice(TYPES if depth < 3 else TYPES[:6] + TYPES[8:])
    if kind == "S":
        return {"S": string(random)}
    if kind == "N":
        return {"N": number(random)}
    if kind == "B":
        return {"B": binary(random)}
    if kind == "SS":
        return {"SS": _members(random, lambda r: r.choice(STRINGS[1:]), random.randint(1, 3))}
    if kind == "NS":
        return {"NS": _members(random, number, random.randint(1, 3))}
    if kind == "BS":
        return {"BS": _members(random, lambda r: b64(r.choice(BINARIES[1:])), random.randint(1, 3))}
    if kind == "BOOL":
        return {"BOOL": random.random() < 0.5}
    if kind == "NULL":
        return {"NULL": True}
    if kind == "L":
        return {"L": [value(random, depth + 1) for _ in range(random.randint(0, 3))]}
    return {"M": {random.choice(["a", "b", "c", "k", "x.y"]): value(random, depth + 1) for _ in range(random.randint(0, 3))}}


def broken(random):
    """What is no value, or one that is refused."""
    return random.choice(
        [
            {}, {"S": "a", "N": "1"}, {"Q": "a"}, {"S": None}, {"S": 5}, {"N": 5}, {"N": True}, {"B": 5}, {"BOOL": "true"},
            {"BOOL": "maybe"}, {"NULL": False}, {"NULL": "x"}, {"SS": []}, {"NS": []}, {"BS": []}, {"SS": ["a", "a"]},
            {"NS": ["1", "1.0"]}, {"NS": ["1", "x"]}, {"NS": ["1", ""]}, {"SS": ["a", ""]}, {"BS": ["YQ==", "YQ=="]}, {"BS": [""]},
            {"SS": "a"}, {"SS": {"a": 1}}, {"SS": [5]}, {"NS": [5]}, {"L": {}}, {"M": []}, {"L": "a"}, {"M": "a"}, {"L": [{}]},
            {"M": {"a": {}}}, {"M": {"": {"S": "a"}}}, {"L": [5]}, {"M": {"a": 5}}, "a", 5, [], None, True, {"s": "a"},
            {"N": random.choice(NOT_NUMBERS)}, {"NS": ["1", random.choice(NOT_NUMBERS)]}, {"B": random.choice(NOT_BASE64)},
            {"N": "9" * 39}, {"N": "9" * 1000}, {"N": "1e" + "9" * 30}, {"N": "0." + "0" * 200 + "1"}, nested(random.randint(28, 40)),
            {"S": "a", "NULL": True}, {"M": {"a": {"L": [{"N": "x"}]}}},
        ]
    )  # fmt: skip


def nested(levels, inner=None):
    found = inner or {"S": "a"}
    for level in range(levels):
        found = {"L": [found]} if level % 2 else {"M": {"a": found}}
    return found


def maybe_broken(random, chance=0.03, kind=None):
    return broken(random) if random.random() < chance else value(random, kind=kind)
