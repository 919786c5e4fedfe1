"""Random expressions of every kind: by grammar, then now and then damaged."""

import re

from values import maybe_broken, value

# Plain names, reserved words, and names that only a placeholder can carry.
NAMES = ["a", "b", "c", "m", "l", "n", "s", "ss", "ns", "bs", "x", "pk", "sk", "gs", "ls", "t"]
ODD_NAMES = ["name", "size", "status", "a.b", "a b", "é", "a-b", "1a", "_x"]
COMPARATORS = ["=", "<>", "<", "<=", ">", ">="]
TYPE_NAMES = ["S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"]


class Placeholders:
    """The names and values that one request's expressions use."""

    def __init__(self, random):
        self.random, self.names, self.values = random, {}, {}

    def name(self, attribute):
        for key, known in self.names.items():
            if known == attribute:
                return key
        key = f"#{'nmopq'[len(self.names) % 5]}{len(self.names)}"
        self.names[key] = attribute
        return key

    def value(self, kind=None, exact=None):
        key = f":v{len(self.values)}"
        self.values[key] = exact or maybe_broken(self.random, 0.01, kind)
        return key

    def into(self, body):
        """Adds the maps to a request; now and then one too many, one too few, or one with a wrong name."""
        random = self.random
        names, values = dict(self.names), dict(self.values)
        chance = random.random()
        if chance < 0.03:
            names["#unused"] = "a"
        elif chance < 0.06:
            values[":unused"] = value(random)
        elif chance < 0.09 and values:
            values.pop(random.choice(sorted(values)))
        elif chance < 0.12 and names:
            names.pop(random.choice(sorted(names)))
        elif chance < 0.14:
            names[random.choice(["bad", "#", "", "#a b", ":x"])] = "a"
        elif chance < 0.16:
            values[random.choice(["bad", ":", "", ":a b", "#x"])] = {"S": "a"}
        elif chance < 0.17 and names:
            names[random.choice(sorted(names))] = random.choice(["", "x" * 70_000, 5, None])
        elif chance < 0.18:
            body["ExpressionAttributeNames"] = {}
        elif chance < 0.19:
            body["ExpressionAttributeValues"] = {}
        if names:
            body["ExpressionAttributeNames"] = names
        if values:
            body["ExpressionAttributeValues"] = values


def path(random, holders, deep=True):
    """A document path."""
    text = random.choice(NAMES)
    if random.random() < 0.12:
        text = holders.name(random.choice(ODD_NAMES + NAMES)) if random.random() < 0.9 else random.choice(ODD_NAMES)
    while deep and random.random() < 0.3:
        step = random.random()
        if step < 0.5:
            text += f"[{random.choice([0, 0, 1, 1, 2, 5, 99])}]"
        else:
            text += f".{random.choice(['a', 'b', 'k', 'c'])}" if step < 0.9 else f".{holders.name(random.choice(ODD_NAMES))}"
    return text


def operand(random, holders):
    chance = random.random()
    if chance < 0.5:
        return path(random, holders)
    if chance < 0.9:
        return holders.value(random.choice([None, "S", "N", "N", "B"]))
    return f"size({path(random, holders)})"


def condition(random, holders, depth=0):
    chance = random.random()
    if depth < 3 and chance < 0.25:
        left, right = condition(random, holders, depth + 1), condition(random, holders, depth + 1)
        return f"{left} {random.choice(['AND', 'OR', 'and', 'Or'])} {right}"
    if depth < 3 and chance < 0.32:
        return f"NOT {condition(random, holders, depth + 1)}"
    if depth < 3 and chance < 0.42:
        return f"({condition(random, holders, depth + 1)})"
    if chance < 0.66:
        return f"{operand(random, holders)} {random.choice(COMPARATORS)} {operand(random, holders)}"
    if chance < 0.72:
        return f"{operand(random, holders)} BETWEEN {operand(random, holders)} AND {operand(random, holders)}"
    if chance < 0.78:
        listed = ", ".join(operand(random, holders) for _ in range(random.randint(1, 4)))
        return f"{operand(random, holders)} IN ({listed})"
    if chance < 0.88:
        return f"{random.choice(['attribute_exists', 'attribute_not_exists'])}({path(random, holders)})"
    if chance < 0.91:
        kind = {"S": random.choice(TYPE_NAMES + ["X", ""])} if random.random() < 0.9 else None
        return f"attribute_type({path(random, holders)}, {holders.value(exact=kind)})"
    name = random.choice(["begins_with", "contains"])
    if random.random() < 0.05:
        name = random.choice(["size", "Contains", "no_such", "list_append", "if_not_exists"])
    if random.random() < 0.04:
        return f"{name}({operand(random, holders)})"
    return f"{name}({operand(random, holders)}, {operand(random, holders)})"


def key_condition(random, holders, keys, known):
    """For the key attributes `keys` (name and type), with values from `known`."""
    name, kind = keys[0]
    if random.random() < 0.03:
        kind = random.choice("SNB")
    exact = {kind: random.choice(known[kind])} if random.random() < 0.95 else None
    spelt = holders.name(name) if random.random() < 0.15 else name
    text = f"{spelt} {'=' if random.random() < 0.96 else random.choice(COMPARATORS)} {holders.value(exact=exact)}"
    if len(keys) < 2 and random.random() < 0.9 or random.random() < 0.3:
        return text
    sort, kind = keys[1] if len(keys) > 1 else (random.choice(NAMES), "S")
    if random.random() < 0.04:
        kind = random.choice(TYPE_NAMES)

    def bound():
        choice = known.get(kind, ["a"])
        return holders.value(exact={kind: random.choice(choice)} if kind in known and random.random() < 0.95 else None)

    shape = random.random()
    if shape < 0.6:
        second = f"{sort} {random.choice(COMPARATORS if random.random() < 0.1 else ['=', '<', '<=', '>', '>='])} {bound()}"
    elif shape < 0.8:
        second = f"{sort} BETWEEN {bound()} AND {bound()}"
    elif shape < 0.95:
        second = f"begins_with({sort}, {bound()})"
    else:
        second = condition(random, holders)
    joined = random.choice(["AND"] * 20 + ["OR"])
    parts = [text, second]
    if random.random() < 0.2:
        parts.reverse()
    return f" {joined} ".join(parts)


def projection(random, holders):
    return ", ".join(path(random, holders) for _ in range(random.randint(1, 4)))


def _set_operand(random, holders, depth=0):
    chance = random.random()
    if chance < 0.4:
        return path(random, holders)
    if chance < 0.75 or depth > 2:
        return holders.value(random.choice([None, "N", "N", "L"]))
    if chance < 0.88:
        return f"if_not_exists({path(random, holders)}, {_set_operand(random, holders, depth + 1)})"
    return f"list_append({_set_operand(random, holders, depth + 1)}, {_set_operand(random, holders, depth + 1)})"


def update(random, holders):
    clauses = []
    for keyword in random.sample(["SET", "REMOVE", "ADD", "DELETE"], random.choice([1, 1, 1, 1, 2, 2, 3])):
        parts = []
        for _ in range(random.choice([1, 1, 2, 3])):
            target = path(random, holders)
            if target in ("pk", "sk") and random.random() < 0.85:
                target = "a"
            if keyword == "SET":
                right = _set_operand(random, holders)
                if random.random() < 0.3:
                    right += f" {random.choice('+-')} {_set_operand(random, holders)}"
                parts.append(f"{target} = {right}")
            elif keyword == "REMOVE":
                parts.append(target)
            else:
                kinds = ["N", "NS", "SS", "BS", "S", "L"] if keyword == "ADD" else ["NS", "SS", "BS", "N", "L"]
                parts.append(f"{target} {holders.value(random.choice(kinds[:4] if random.random() < 0.9 else kinds))}")
        clauses.append(f"{keyword if random.random() < 0.95 else keyword.lower()} {', '.join(parts)}")
    if random.random() < 0.02:
        clauses.append(clauses[0])
    return " ".join(clauses)


_TOKENS = re.compile(r"[\w:#]+|<>|<=|>=|\S|\s+")


def damaged(random, text, chance=0.08):
    """The text, now and then with a token lost, doubled, swapped or replaced."""
    if random.random() > chance:
        return text
    tokens = _TOKENS.findall(text)
    place = random.randrange(len(tokens))
    kind = random.random()
    if kind < 0.25:
        del tokens[place]
    elif kind < 0.4:
        tokens.insert(place, tokens[place])
    elif kind < 0.55:
        other = random.randrange(len(tokens))
        tokens[place], tokens[other] = tokens[other], tokens[place]
    elif kind < 0.9:
        tokens[place] = random.choice(
            ["AND", "OR", "NOT", "(", ")", ",", "=", "==", "!=", "<>", "+", "-", ".", "[", "]", "[0]", "[-1]", "[a]", ":", "#",
             "size", "SET", "IN", "BETWEEN", "REMOVE", "1", "'a'", "\"a\"", ";", "*", "%", "\u00e9", "$", "[99999999999]", "::v0"]
        )  # fmt: skip
    else:
        return random.choice(["", " ", "(" * 400, text * 40, "a" * 5000, f"({text}", f"(({text}))"])
    return "".join(tokens)
