//! The JSON of `RUN`: an action, and the lines of its answer.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::event::{Event, Events, Step, Topic};
use crate::node::get::{Place, Question};
use crate::node::{Failure, Outcome, Query, Wanted};
use crate::wire::{Endpoint, RfcNumber, Title};

/// An action to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Find(Query),
    Add {
        number: RfcNumber,
        title: Option<Title>,
    },
    Get(Wanted),
    Status,
}

impl Action {
    /// Whether it can be run: a file is named by its absolute path, and something downloads.
    pub(super) fn is_valid(&self) -> bool {
        match self {
            Self::Get(Wanted { place, jobs, .. }) => {
                let is_named = !matches!(place, Place::File(path) if !path.is_absolute());
                is_named && *jobs > 0
            }
            Self::Find(_) | Self::Add { .. } | Self::Status => true,
        }
    }
}

/// A line of the answer. Empty lines in between only say that the action still runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line<T> {
    /// Something has happened.
    Event(Told),
    /// One of several downloads has ended.
    Done(Outcome),
    /// A question. The client answers with a line: `true`, `false` or `null`.
    Question(Question),
    /// The action has ended. The exit code is that of the command.
    Ended { outcome: T, exit_code: u8 },
    /// The action has failed.
    Failed(Failure),
}

/// An event of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    Download {
        id: u64,
        number: RfcNumber,
        holder: Endpoint,
        step: Course,
    },
    NoMoreHolders {
        number: RfcNumber,
        why: String,
    },
    FileMissing {
        number: RfcNumber,
        folder: PathBuf,
    },
}

/// A step of a download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Course {
    Connecting,
    Began { length: Option<u64> },
    Moved(u64),
    Done { bytes: u64, path: Option<PathBuf> },
    Failed { why: String },
    GivenUp,
}

impl Told {
    /// The event as a line, if the other side needs it.
    pub(super) fn of(event: &Event<'_>) -> Option<Self> {
        Some(match event {
            Event::Download {
                id,
                number,
                holder,
                step,
            } => Self::Download {
                id: *id,
                number: *number,
                holder: (*holder).clone(),
                step: Course::of(step),
            },
            Event::NoMoreHolders { number, why } => Self::NoMoreHolders {
                number: *number,
                why: why.to_string(),
            },
            Event::FileMissing { number, folder } => Self::FileMissing {
                number: *number,
                folder: folder.to_path_buf(),
            },
            _ => return None,
        })
    }

    /// Reports the event here.
    pub(super) fn tell(&self, events: &Events) {
        match self {
            Self::Download {
                id,
                number,
                holder,
                step,
            } => {
                let topic = match step {
                    Course::Moved(_) => Topic::Progress,
                    _ => Topic::Life,
                };
                events.tell(topic, || Event::Download {
                    id: *id,
                    number: *number,
                    holder,
                    step: step.step(),
                });
            }
            Self::NoMoreHolders { number, why } => {
                events.tell(Topic::Life, || Event::NoMoreHolders {
                    number: *number,
                    why: why.into(),
                });
            }
            Self::FileMissing { number, folder } => {
                events.tell(Topic::Life, || Event::FileMissing {
                    number: *number,
                    folder,
                });
            }
        }
    }
}

impl Course {
    fn of(step: &Step<'_>) -> Self {
        match step {
            Step::Connecting => Self::Connecting,
            Step::Began { length } => Self::Began { length: *length },
            Step::Moved(bytes) => Self::Moved(*bytes),
            Step::Done { bytes, path } => Self::Done {
                bytes: *bytes,
                path: path.map(PathBuf::from),
            },
            Step::Failed { why } => Self::Failed {
                why: why.to_string(),
            },
            Step::GivenUp => Self::GivenUp,
        }
    }

    fn step(&self) -> Step<'_> {
        match self {
            Self::Connecting => Step::Connecting,
            Self::Began { length } => Step::Began { length: *length },
            Self::Moved(bytes) => Step::Moved(*bytes),
            Self::Done { bytes, path } => Step::Done {
                bytes: *bytes,
                path: path.as_deref(),
            },
            Self::Failed { why } => Step::Failed { why: why.into() },
            Self::GivenUp => Step::GivenUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::get::{Place, Replace};
    use crate::wire::Port;

    #[test]
    fn actions_and_lines_have_these_forms() {
        let number = RfcNumber::new(7).unwrap();
        let title = Title::default();
        for (action, text) in [
            (
                Action::Find(Query::Number {
                    number,
                    title: title.clone(),
                }),
                r#"{"find":{"number":{"number":7,"title":""}}}"#,
            ),
            (
                Action::Find(Query::All { fresh: true }),
                r#"{"find":{"all":{"fresh":true}}}"#,
            ),
            (
                Action::Add {
                    number,
                    title: None,
                },
                r#"{"add":{"number":7,"title":null}}"#,
            ),
            (
                Action::Get(Wanted {
                    numbers: vec![number],
                    title,
                    place: Place::Folder(Replace::Ask),
                    jobs: 1,
                    takes_bare: false,
                }),
                r#"{"get":{"numbers":[7],"title":"","place":{"folder":"ask"},"jobs":1}}"#,
            ),
            (Action::Status, r#""status""#),
        ] {
            assert_eq!(serde_json::to_string(&action).unwrap(), text);
            assert_eq!(serde_json::from_str::<Action>(text).unwrap(), action);
        }
        let line = r#"{"failed":{"error":"gone","exit_code":4}}"#;
        let failed = Failure::new(crate::node::Code::IndexUnreachable, "gone");
        let parsed: Line<()> = serde_json::from_str(line).unwrap();
        assert_eq!(parsed, Line::Failed(failed));
        assert_eq!(serde_json::to_string(&parsed).unwrap(), line);
    }

    #[test]
    fn events_arrive_as_they_were() {
        let notes = crate::event::testing::Notes::default();
        let events = Events::default().and(notes.clone());
        let holder = Endpoint::parse("vm:5", Port::MIN).unwrap();
        let number = RfcNumber::new(7).unwrap();
        let steps = [
            Step::Connecting,
            Step::Began { length: Some(9) },
            Step::Moved(9),
            Step::Done {
                bytes: 9,
                path: Some(std::path::Path::new("rfc7.txt")),
            },
            Step::Failed { why: "gone".into() },
            Step::GivenUp,
        ];
        let download = |step| Event::Download {
            id: 1,
            number,
            holder: &holder,
            step,
        };
        let why = "gone".into();
        let others = [
            Event::NoMoreHolders { number, why },
            Event::FileMissing {
                number,
                folder: std::path::Path::new("rfcs"),
            },
        ];
        let all: Vec<_> = steps.map(download).into_iter().chain(others).collect();
        for event in &all {
            let line = serde_json::to_string(&Told::of(event).unwrap()).unwrap();
            serde_json::from_str::<Told>(&line).unwrap().tell(&events);
        }
        let expected: Vec<_> = all.iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(notes.all(), expected);
        assert_eq!(Told::of(&Event::Stopping), None);
    }
}
