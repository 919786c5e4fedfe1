"""Accounts whose sum never changes: transfers by transactions, and snapshots that must see each transfer whole."""

import random
import threading

import botocore.exceptions

from .items import dynamodb, make_table

ACCOUNTS = [f"account-{number}" for number in range(8)]
BALANCE = 1000
ERRORS = (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError)


class Bank:
    """Threads that transfer and threads that take snapshots, from `with` to its end."""

    def __init__(self, region, table, transfers=3, snapshots=2, seed=1):
        self.region, self.table = region, table
        self.api = dynamodb(region)
        self.done = {"transfers": 0, "snapshots": 0, "cancelled": 0, "failed": 0}
        self.torn = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        work = [self._transfer] * transfers + [self._snapshot] * snapshots
        self._threads = [
            threading.Thread(target=self._repeat, args=(one, random.Random(seed * 100 + at)), daemon=True)
            for at, one in enumerate(work)
        ]

    def open_accounts(self):
        make_table(self.api, self.table)
        for account in ACCOUNTS:
            self.api.put_item(TableName=self.table, Item={"id": {"S": account}, "balance": {"N": str(BALANCE)}})

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client of the bank hangs"

    def total(self, api=None):
        """The sum of one snapshot."""
        gets = [{"Get": {"TableName": self.table, "Key": {"id": {"S": account}}}} for account in ACCOUNTS]
        answer = (api or self.api).transact_get_items(TransactItems=gets)
        return sum(int(one["Item"]["balance"]["N"]) for one in answer["Responses"])

    def _repeat(self, work, rng):
        api = dynamodb(self.region)
        while not self._stop.is_set():
            try:
                what = work(api, rng)
            except api.exceptions.TransactionCanceledException:
                what = "cancelled"
            except ERRORS:
                what = "failed"
                self._stop.wait(0.05)
            with self._lock:
                self.done[what] += 1

    def _transfer(self, api, rng):
        amount = rng.randint(1, 9)
        one, other = rng.sample(ACCOUNTS, 2)
        api.transact_write_items(TransactItems=[self._add(one, -amount), self._add(other, amount)])
        return "transfers"

    def _add(self, account, amount):
        return {
            "Update": {
                "TableName": self.table,
                "Key": {"id": {"S": account}},
                "UpdateExpression": "ADD balance :amount",
                "ExpressionAttributeValues": {":amount": {"N": str(amount)}},
            }
        }

    def _snapshot(self, api, _):
        total = self.total(api)
        if total != BALANCE * len(ACCOUNTS):
            self.torn.append(total)
        return "snapshots"
