//! DynamoDB's part of the metrics page.

use std::collections::BTreeMap;
use std::fmt::Write;

use quorate_base::RegionName;
use quorate_dynamodb::api::Counts;

use crate::metrics::family;
use crate::status::RegionStatus;

/// Replicas shown at most: those that are furthest behind come first.
const REPLICAS_MAX: usize = 1_000;
/// Partitions shown at most: those that are asked for most come first.
const PARTITIONS_MAX: usize = 1_000;
/// Tables shown at most: those whose indexes are furthest behind come first.
const TABLES_MAX: usize = 1_000;

/// All families.
pub(super) fn families(
    page: &mut String,
    regions: &BTreeMap<RegionName, RegionStatus>,
    counts: &[Counts],
) {
    let mut lags = lags(regions);
    lags.sort_by_key(|(_, lag)| std::cmp::Reverse(*lag));
    lags.truncate(REPLICAS_MAX);
    family(
        page,
        "dynamodb_partition_lag_entries",
        "Log entries that the partition's leader has applied and this replica has not.",
        "gauge",
        lags,
    );
    let mut outboxes = outboxes(regions);
    outboxes.sort_by_key(|(_, entries)| std::cmp::Reverse(*entries));
    outboxes.truncate(TABLES_MAX);
    family(
        page,
        "dynamodb_outbox_entries",
        "Changes that the table's global indexes have not confirmed.",
        "gauge",
        outboxes,
    );
    loads(page, regions);
    let requests = counts.iter().flat_map(|counts| {
        let statuses = counts.statuses.iter();
        statuses.map(|(status, count)| {
            let labels = format!("{{operation=\"{}\",status=\"{status}\"}}", counts.operation);
            (labels, *count)
        })
    });
    family(
        page,
        "dynamodb_requests_total",
        "Answered calls.",
        "counter",
        requests,
    );
    durations(page, counts);
}

fn lags(regions: &BTreeMap<RegionName, RegionStatus>) -> Vec<(String, u64)> {
    let mut lags = Vec::new();
    for region in regions.values() {
        for table in &region.tables {
            for partition in &table.partitions {
                for replica in &partition.replicas {
                    let labels = format!(
                        "{{region=\"{}\",table=\"{}\",partition=\"{}\",node=\"{}\"}}",
                        region.region, table.name, partition.partition, replica.node
                    );
                    lags.extend(replica.lag_entries.map(|lag| (labels, lag)));
                }
            }
        }
    }
    lags
}

fn loads(page: &mut String, regions: &BTreeMap<RegionName, RegionStatus>) {
    let mut loads = Vec::new();
    for region in regions.values() {
        for table in &region.tables {
            for partition in &table.partitions {
                let labels = format!(
                    "{{region=\"{}\",table=\"{}\",partition=\"{}\"}}",
                    region.region, table.name, partition.partition
                );
                loads.push((labels, partition.reads_per_s, partition.writes_per_s));
            }
        }
    }
    loads.sort_by_key(|(_, reads, writes)| std::cmp::Reverse(reads + 3 * writes));
    loads.truncate(PARTITIONS_MAX);
    let reads = loads
        .iter()
        .map(|(labels, reads, _)| (labels.clone(), *reads));
    family(
        page,
        "dynamodb_partition_read_units",
        "Read units that the partition's replicas were asked for in the last seconds, a second.",
        "gauge",
        reads,
    );
    let writes = loads
        .iter()
        .map(|(labels, _, writes)| (labels.clone(), *writes));
    family(
        page,
        "dynamodb_partition_write_units",
        "Write units that the partition's leader was asked for in the last seconds, a second.",
        "gauge",
        writes,
    );
}

fn outboxes(regions: &BTreeMap<RegionName, RegionStatus>) -> Vec<(String, u64)> {
    let mut outboxes = Vec::new();
    for region in regions.values() {
        for table in &region.tables {
            let labels = format!("{{region=\"{}\",table=\"{}\"}}", region.region, table.name);
            outboxes.push((labels, table.outbox_entries));
        }
    }
    outboxes
}

fn durations(page: &mut String, counts: &[Counts]) {
    const NAME: &str = "quorate_dynamodb_request_duration_seconds";
    let _ = writeln!(
        page,
        "# HELP {NAME} Time from a call's body to its answer.\n# TYPE {NAME} histogram"
    );
    for counts in counts {
        let operation = counts.operation;
        for (bound_us, within) in &counts.within {
            let bound = seconds(*bound_us);
            let _ = writeln!(
                page,
                "{NAME}_bucket{{operation=\"{operation}\",le=\"{bound}\"}} {within}"
            );
        }
        let (count, sum) = (counts.count, seconds(counts.sum_us));
        let _ = writeln!(
            page,
            "{NAME}_bucket{{operation=\"{operation}\",le=\"+Inf\"}} {count}\n\
             {NAME}_sum{{operation=\"{operation}\"}} {sum}\n\
             {NAME}_count{{operation=\"{operation}\"}} {count}"
        );
    }
}

/// Microseconds as Prometheus wants them.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 285 years of microseconds"
)]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_ends_with_everything() {
        let counts = Counts {
            operation: "PutItem",
            statuses: vec![("2xx", 3)],
            within: vec![(250, 1), (1_000_000, 2)],
            count: 3,
            sum_us: 2_500_000,
        };
        let mut page = String::new();
        families(&mut page, &BTreeMap::new(), &[counts]);
        let expected = [
            "quorate_dynamodb_requests_total{operation=\"PutItem\",status=\"2xx\"} 3",
            "quorate_dynamodb_request_duration_seconds_bucket{operation=\"PutItem\",le=\"0.00025\"} 1",
            "quorate_dynamodb_request_duration_seconds_bucket{operation=\"PutItem\",le=\"1\"} 2",
            "quorate_dynamodb_request_duration_seconds_bucket{operation=\"PutItem\",le=\"+Inf\"} 3",
            "quorate_dynamodb_request_duration_seconds_sum{operation=\"PutItem\"} 2.5",
            "quorate_dynamodb_request_duration_seconds_count{operation=\"PutItem\"} 3",
        ];
        for line in expected {
            assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
        }
    }
}
