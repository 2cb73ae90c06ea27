//! Predicts how long a plan takes, with processor sharing.
//!
//! Each peer divides its upload rate u equally among all that fetch from it at that moment. Nothing
//! else takes time: no connecting, no disk, no queueing. The unit of work is a document of the mean
//! size s. A peer delivers one in the time s/u, so all times are in units of s/u.
//!
//! In the worst case of task 2 the model has all peers reach each server at the same moment. Real
//! peers don't quite: the first has the server to itself until the others arrive. With p clients,
//! each server multiplies such a lead by p - 1. With six peers the lead stays small; with twenty
//! the group breaks up, and most peers finish much earlier.

use std::collections::HashMap;

use super::plan::Plan;

/// The work below which a document counts as complete, to absorb rounding; in units of s.
const DONE: f64 = 1e-9;

/// Predicts when each peer has everything, in units of s/u; 0 if it fetches nothing.
///
/// `works` are the sizes of the documents in units of the mean. The cost is O(p) per download, with
/// p peers.
pub(super) fn predict(plan: &Plan, works: &[f64]) -> Vec<f64> {
    let mut now = 0.0;
    let mut clients: Vec<Client> = plan
        .fetches
        .iter()
        .map(|fetches| {
            let work = |document: usize| works.get(document).copied().unwrap_or(1.0);
            let left = fetches.iter().map(|f| (f.holder, work(f.document)));
            Client {
                left: left.rev().collect(),
                ended: 0.0,
            }
        })
        .collect();
    loop {
        let mut loads: HashMap<usize, f64> = HashMap::new();
        for (holder, _) in clients.iter().filter_map(|client| client.left.last()) {
            *loads.entry(*holder).or_default() += 1.0;
        }
        let load = |holder: &usize| loads.get(holder).copied().unwrap_or(1.0);
        // The shares stay the same until the next download ends.
        let next_end = clients
            .iter()
            .filter_map(|client| client.left.last())
            .map(|(holder, work)| work * load(holder))
            .min_by(f64::total_cmp);
        let Some(step) = next_end else { break };
        now += step;
        for client in &mut clients {
            let Some((holder, work)) = client.left.last_mut() else {
                continue;
            };
            *work -= step / load(holder);
            if *work <= DONE {
                client.left.pop();
                client.ended = now;
            }
        }
    }
    clients.into_iter().map(|client| client.ended).collect()
}

struct Client {
    /// The holders and the remaining work, in reverse: the current download is the last.
    left: Vec<(usize, f64)>,
    ended: f64,
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Fetch, Parameters, Scenario};
    use super::*;

    /// The prediction for documents of equal size, which must be whole units.
    fn units(scenario: Scenario, peers: usize, per_peer: usize, fetch: Option<usize>) -> Vec<u32> {
        let parameters = Parameters {
            peers,
            per_peer,
            fetch,
        };
        let ends = predict(
            &scenario.plan(parameters),
            &vec![1.0; parameters.documents()],
        );
        let whole = |end: f64| {
            assert!((end - end.round()).abs() < 1e-9, "{end}");
            format!("{end:.0}").parse().unwrap()
        };
        ends.into_iter().map(whole).collect()
    }

    #[test]
    fn the_course_is_predicted_exactly() {
        assert_eq!(
            units(Scenario::Task1, 6, 10, None),
            [0, 250, 250, 250, 250, 250]
        );
        assert_eq!(units(Scenario::Task2Best, 6, 10, None), [50; 6]);
        assert_eq!(
            units(Scenario::Task2Worst, 6, 10, None),
            [50, 90, 120, 140, 150, 150]
        );
    }

    #[test]
    fn other_numbers_follow_the_same_rules() {
        assert_eq!(units(Scenario::Task1, 3, 2, None), [0, 8, 8]);
        assert_eq!(units(Scenario::Task1, 11, 4, Some(7))[1..], [70; 10]);
        for peers in 2..12 {
            let share = u32::try_from(peers - 1).unwrap() * 3;
            let best = units(Scenario::Task2Best, peers, 3, None);
            assert_eq!(best, vec![share; peers]);
        }
        // Each server has one client fewer, and the last two peers fetch from each other.
        assert_eq!(units(Scenario::Task2Worst, 2, 5, None), [5, 5]);
        assert_eq!(units(Scenario::Task2Worst, 3, 5, None), [10, 15, 15]);
        assert_eq!(units(Scenario::Task2Worst, 4, 1, None), [3, 5, 6, 6]);
        // Peers that fetch fewer get no further than the second server.
        assert_eq!(
            units(Scenario::Task2Worst, 6, 10, Some(10)),
            [10, 50, 50, 50, 50, 50]
        );
    }

    #[test]
    fn a_short_document_leaves_its_share_to_the_others() {
        let fetch = |document| {
            vec![Fetch {
                document,
                holder: 0,
            }]
        };
        let plan = Plan {
            holdings: vec![0..2, 0..0, 0..0],
            fetches: vec![Vec::new(), fetch(0), fetch(1)],
        };
        // Both get half of the rate up to 1.0, and then the longer one gets all of it.
        let ends = predict(&plan, &[0.5, 1.5]);
        let expected = [0.0, 1.0, 2.0];
        assert!(
            ends.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9),
            "{ends:?}"
        );
    }
}
