"""Aurora with MariaDB: what a volume in six copies promises, tried again and again at random moments.

The region has two nodes in each zone, and so one segment on each.
"""

import os

import pytest
from harness.mysql import MysqlClusters
from harness.rounds import ROUND_S, Mariadb, Rounds, rounds, seed, wait_healthy

NAME = "rows"
ROUNDS = rounds(short=2)

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this machine has no /dev/fuse")


@pytest.fixture(scope="module")
def region(make_region):
    region = make_region(nodes_per_zone=2)
    region.start()
    return region


@pytest.mark.timeout(120 + ROUND_S * ROUNDS)
def test_rounds_of_killing_all_nodes_and_starting_four_or_three(region):
    clusters = MysqlClusters(region)
    clusters.create(NAME, members=2)
    Rounds(region, Mariadb(clusters, NAME), seed()).play(ROUNDS)
    wait_healthy(region, clusters, (f"{NAME}-1", f"{NAME}-2"))
