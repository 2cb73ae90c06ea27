//! How long a plan takes in theory.
//!
//! The capacity of each peer is a fluid that flows in equal shares to all who fetch from it at that
//! moment (processor sharing). Nothing else takes time: no connection, no disk, no waiting for a
//! turn. The unit of work is a document of mean size s, and every peer does one of them in the time
//! s/u, so that all times come out in units of s/u.
//!
//! In the worst case of task 2 all peers come to each server at the same moment. Real ones don't
//! quite: whoever comes first has the server alone until the others are there, who then share what
//! is left. With p clients of one server a lead is p - 1 times as long behind it as before it. With
//! six peers it stays short; with twenty the line breaks up, and most are done much earlier.

use std::collections::HashMap;

use super::plan::Plan;

/// What is left of a document that is done but for the rounding of numbers, in units of s.
const DONE: f64 = 1e-9;

/// When each peer has all that it fetches, in units of s/u; 0 where it fetches nothing.
///
/// `works` are the documents in units of the mean size. It costs O(p) for each download of p peers.
pub(super) fn predict(plan: &Plan, works: &[f64]) -> Vec<f64> {
    let mut now = 0.0;
    let mut clients: Vec<Client> = plan
        .fetches
        .iter()
        .map(|fetches| {
            let work = |document: usize| works.get(document).copied().unwrap_or(1.0);
            let left = fetches.iter().map(|f| (f.holder, work(f.document)));
            Client {
                // Taken from the end.
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
        // Up to the end of the next download nothing changes in who shares what.
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

/// A peer that fetches.
struct Client {
    /// From whom, and how much work it is; what is fetched now is the last.
    left: Vec<(usize, f64)>,
    ended: f64,
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Fetch, Parameters, Scenario};
    use super::*;

    /// The prediction for documents of one size, which has to be a whole number of units.
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
    fn the_course_comes_out_exactly() {
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
        // The line gets shorter by one with each server, and the last two meet at each other.
        assert_eq!(units(Scenario::Task2Worst, 2, 5, None), [5, 5]);
        assert_eq!(units(Scenario::Task2Worst, 3, 5, None), [10, 15, 15]);
        assert_eq!(units(Scenario::Task2Worst, 4, 1, None), [3, 5, 6, 6]);
        // Those who fetch fewer go no further than the second server.
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
        // Both have half of it up to 1.0, and then the longer one has all.
        let ends = predict(&plan, &[0.5, 1.5]);
        let expected = [0.0, 1.0, 2.0];
        assert!(
            ends.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9),
            "{ends:?}"
        );
    }
}
