//! The commands for scripts: the work of the menu, with the result alone on standard output.
//!
//! A result is record lines as they stand on the wire, or one JSON document whose field names are
//! those of the structs here; they stay.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Context;
use chrono::{DateTime, Local};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use serde::Serialize;

use crate::event::Level;
use crate::index::{IndexError, Listed, Query};
use crate::node::get::{Downloaded, Got, Place, Spread};
use crate::node::numbers::Selection;
use crate::node::{Counts, GetError, LastUpload, Peer};
use crate::printout::Transcript;
use crate::program::{Code, Failure, PRINT_TIME};
use crate::terminal::escape::{escaped, escaped_json};
use crate::terminal::progress::{Progress, Several};
use crate::wire::{Fault, Record, RfcNumber, Title};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Record lines, as they stand on the wire.
    Lines,
    /// One JSON document.
    Json,
    /// Nothing: standard output is for the document itself.
    Nothing,
}

/// The result of `lookup`, `list` and `find`.
#[derive(Debug, Serialize)]
struct Found<'a> {
    records: &'a [Listed],
}

/// The result of `add`.
#[derive(Debug, Serialize)]
struct Added {
    record: Listed,
}

/// The result of `get`.
#[derive(Debug, Default, Serialize)]
struct Gotten {
    downloaded: Vec<DownloadedFields>,
    kept: Vec<KeptFields>,
    failed: Vec<FailedFields>,
}

/// A document that was downloaded, and from whom.
#[derive(Debug, Serialize)]
struct DownloadedFields {
    number: u32,
    title: String,
    host: String,
    port: u16,
    path: PathBuf,
    bytes: u64,
}

/// A document that was there already.
#[derive(Debug, Serialize)]
struct KeptFields {
    number: u32,
    path: PathBuf,
}

/// A document that could not be got.
#[derive(Debug, Serialize)]
struct FailedFields {
    number: u32,
    error: String,
    exit_code: u8,
}

/// What is printed where a command could not even begin.
#[derive(Debug, Serialize)]
struct ErrorDocument {
    error: ErrorFields,
}

#[derive(Debug, Serialize)]
struct ErrorFields {
    message: String,
    exit_code: u8,
}

/// Prints a failure as a JSON document.
pub fn print_error(failure: &Failure, transcript: &Transcript) -> Result<(), Failure> {
    let error = ErrorFields {
        message: failure.to_string(),
        exit_code: failure.code.get(),
    };
    print_json(&ErrorDocument { error }, transcript)
}

/// Shows who has an RFC.
pub fn lookup(
    peer: &Peer,
    number: RfcNumber,
    format: Format,
    transcript: &Transcript,
) -> Result<(), Failure> {
    let query = Query::Number {
        number,
        title: Title::default(),
    };
    let records = ask(peer, &query)?;
    print_records(&records, format, transcript)?;
    if records.is_empty() {
        return Err(told(&not_found(number), transcript));
    }
    Ok(())
}

/// Shows everything that anybody has.
pub fn list(peer: &Peer, format: Format, transcript: &Transcript) -> Result<(), Failure> {
    let records = ask(peer, &Query::All { fresh: true })?;
    print_records(&records, format, transcript)
}

fn ask(peer: &Peer, query: &Query) -> Result<Vec<Listed>, Failure> {
    let found = peer.index.find_first(query).map_err(of_index)?;
    Ok(found.records)
}

/// Shows the RFCs whose titles hold all of these words.
pub fn find(
    peer: &Peer,
    words: &[String],
    format: Format,
    transcript: &Transcript,
) -> Result<(), Failure> {
    let found = matching(ask(peer, &Query::All { fresh: true })?, words);
    print_records(&found, format, transcript)?;
    if found.is_empty() {
        let error = anyhow::anyhow!("no title holds {:?}", words.join(" "));
        return Err(told(&Failure::new(Code::NotFound, error), transcript));
    }
    Ok(())
}

/// A failure after a result was printed: there is no second document.
fn told(failure: &Failure, transcript: &Transcript) -> Failure {
    transcript.screen().error(failure);
    Failure::said(failure.code)
}

/// The records whose titles hold all of these words, or parts of words, in any letter case.
pub fn matching(mut records: Vec<Listed>, words: &[impl AsRef<str>]) -> Vec<Listed> {
    let words: Vec<_> = words
        .iter()
        .flat_map(|word| word.as_ref().split_whitespace())
        .map(str::to_lowercase)
        .collect();
    records.retain(|Listed { record, .. }| {
        let title = record.title.as_str().to_lowercase();
        words.iter().all(|word| title.contains(word))
    });
    records
}

/// Registers one RFC and shows its record.
pub fn add(
    peer: &Peer,
    number: RfcNumber,
    title: Option<Title>,
    format: Format,
    transcript: &Transcript,
) -> Result<(), Failure> {
    let Some(record) = peer.add(number, title).map_err(of_index)? else {
        let error = anyhow::anyhow!("the index server has refused RFC {number}");
        return Err(Failure::new(Code::Protocol, error));
    };
    let record = Listed::from(record);
    match format {
        Format::Json => print_json(&Added { record }, transcript),
        _ => print_records(&[record], format, transcript),
    }
}

/// What `get` is to do.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Which RFCs.
    pub selection: Selection,
    /// The file for the one RFC that is wanted, in place of the folder; `-` is standard output.
    pub output: Option<&'a Path>,
    /// Whether files of the folder are replaced.
    pub force: bool,
    /// How many downloads run at a time.
    pub jobs: u8,
    /// Whether what was done is said on standard error.
    pub says: bool,
}

/// Downloads RFCs. A failure does not stop the others; all are said at the end, and the first of
/// them gives the exit code.
pub fn get(
    peer: &Peer,
    wanted: &Wanted<'_>,
    format: Format,
    progress: &Progress,
    transcript: &Transcript,
) -> Result<(), Failure> {
    if let Some((number, file)) = wanted.selection.single().zip(wanted.output) {
        return get_into(peer, number, file, format, transcript);
    }
    let numbers = peer.selected(&wanted.selection).map_err(of_index)?;
    let count = numbers.len();
    let several = (count > 1).then(|| progress.of(count));
    let queue = Mutex::new(VecDeque::from(numbers));
    let done = Mutex::new(Gotten::default());
    let spread = Spread::default();
    let printed = Mutex::new(Ok(()));
    let work = || {
        while let Some(number) = next(&queue).filter(|_| !peer.downloader.sockets.is_closing()) {
            let got = get_one(peer, number, wanted.force, &spread);
            let line = done_one(peer, number, got, wanted.says, &done);
            several.iter().for_each(Several::one_done);
            if let (Some(record), Format::Lines) = (line, format) {
                let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
                if printed.is_ok() {
                    *printed =
                        progress.aside(|| print_records(&[record.into()], format, transcript));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..usize::from(wanted.jobs).min(count) {
            // With fewer threads it takes longer, and that is all.
            let _ = thread::Builder::new()
                .name("download".to_owned())
                .spawn_scoped(scope, work);
        }
        work();
    });
    drop(several);
    printed
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort();
    if format == Format::Json {
        print_json(&done, transcript)?;
    }
    // What a signal has cut off has not failed.
    if peer.downloader.sockets.is_closing() {
        return Ok(());
    }
    done.result(count, transcript)
}

fn next(queue: &Mutex<VecDeque<RfcNumber>>) -> Option<RfcNumber> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop_front()
}

fn get_one(peer: &Peer, number: RfcNumber, force: bool, spread: &Spread) -> Result<Got, GetError> {
    if let Some(path) = peer.library().path_of(number).filter(|_| !force) {
        return Ok(Got::Kept(path));
    }
    let mut may_replace = |_: &Path| force;
    let place = Place::Folder(&mut may_replace);
    peer.get(number, &Title::default(), place, spread)
}

/// Takes the outcome of one GET into the result, and returns the record of a document that is
/// here.
fn done_one(
    peer: &Peer,
    number: RfcNumber,
    got: Result<Got, GetError>,
    says: bool,
    done: &Mutex<Gotten>,
) -> Option<Record> {
    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
    match got {
        Ok(Got::Downloaded(downloaded)) => {
            let Downloaded {
                record,
                path,
                bytes,
            } = downloaded;
            if says {
                let line = format_args!("RFC {number} is in {} ({bytes} bytes)", path.display());
                peer.events.notice(Level::Info, line);
            }
            done.downloaded.push(DownloadedFields {
                number: number.get(),
                title: record.title.to_string(),
                host: record.holder.host.to_string(),
                port: record.holder.port.get(),
                path,
                bytes,
            });
            return Some(record);
        }
        Ok(Got::Kept(path)) => {
            if says {
                let path = path.display();
                let line = format_args!("RFC {number} is in {path} already; --force replaces it");
                peer.events.notice(Level::Info, line);
            }
            done.kept.push(KeptFields {
                number: number.get(),
                path,
            });
        }
        Ok(Got::Unknown { .. }) => done.fail(number, &not_found(number)),
        // Whoever has interrupted it knows.
        Err(GetError::Interrupted) => {}
        Err(error) => done.fail(number, &of_get(error)),
    }
    None
}

impl Gotten {
    fn fail(&mut self, number: RfcNumber, failure: &Failure) {
        self.failed.push(FailedFields {
            number: number.get(),
            error: failure.to_string(),
            exit_code: failure.code.get(),
        });
    }

    fn sort(&mut self) {
        self.downloaded.sort_by_key(|fields| fields.number);
        self.kept.sort_by_key(|fields| fields.number);
    }

    fn result(self, count: usize, transcript: &Transcript) -> Result<(), Failure> {
        let Some(first) = self.failed.first() else {
            return Ok(());
        };
        let code = Code::of(first.exit_code);
        for FailedFields { number, error, .. } in &self.failed {
            let what = format_args!("RFC {number} was not downloaded: {error}");
            transcript.screen().error(what);
        }
        if count > 1 {
            let failed = self.failed.len();
            let what = format_args!("{failed} of {count} RFCs were not downloaded");
            transcript.screen().error(what);
        }
        Err(Failure::said(code))
    }
}

/// Downloads one RFC into a file that is not of the folder. What can't be replaced in one step
/// (standard output, a device, a pipe) gets the document once it is whole.
fn get_into(
    peer: &Peer,
    number: RfcNumber,
    file: &Path,
    format: Format,
    transcript: &Transcript,
) -> Result<(), Failure> {
    let is_stream = file == "-" || fs::metadata(file).is_ok_and(|found| !found.is_file());
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let path = if is_stream {
        folder.path().join("document")
    } else {
        file.to_owned()
    };
    let (title, spread) = (Title::default(), Spread::default());
    let got = peer.get(number, &title, Place::File(&path), &spread);
    let downloaded = match got.map_err(of_get)? {
        Got::Downloaded(downloaded) => downloaded,
        Got::Unknown { .. } | Got::Kept(_) => return Err(not_found(number)),
    };
    if is_stream {
        copy(&path, file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let Downloaded { record, bytes, .. } = downloaded;
    match format {
        Format::Nothing => Ok(()),
        Format::Lines => print_records(&[record.into()], format, transcript),
        Format::Json => {
            let mut done = Gotten::default();
            done.downloaded.push(DownloadedFields {
                number: number.get(),
                title: record.title.to_string(),
                host: record.holder.host.to_string(),
                port: record.holder.port.get(),
                path: file.to_owned(),
                bytes,
            });
            print_json(&done, transcript)
        }
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut document = File::open(from)?;
    let copied = if to == "-" {
        let mut stdout = io::stdout().lock();
        io::copy(&mut document, &mut stdout).and_then(|_| stdout.flush())
    } else {
        // A pipe that nobody reads is an error, and not a wait without an end.
        let mut stream = fs::OpenOptions::new()
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(to)
            .map_err(|error| match error.raw_os_error() {
                Some(code) if code == Errno::NXIO.raw_os_error() => {
                    io::Error::other("nobody reads it")
                }
                _ => error,
            })?;
        fcntl_setfl(&stream, OFlags::empty())?;
        io::copy(&mut document, &mut stream).map(drop)
    };
    unless_unread(copied)
}

/// A reader that has seen enough (`peer list | head`) is no failure.
fn unless_unread(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn print_records(
    records: &[Listed],
    format: Format,
    transcript: &Transcript,
) -> Result<(), Failure> {
    match format {
        Format::Nothing => Ok(()),
        Format::Json => print_json(&Found { records }, transcript),
        Format::Lines => print(transcript, |out| {
            let is_watched = io::stdout().is_terminal();
            for record in records {
                let line = record.to_string();
                if is_watched {
                    writeln!(out, "{}", escaped(line.as_bytes(), false))?;
                } else {
                    writeln!(out, "{line}")?;
                }
            }
            Ok(())
        }),
    }
}

fn print_json(document: &impl Serialize, transcript: &Transcript) -> Result<(), Failure> {
    print(transcript, |out| {
        let text = serde_json::to_string_pretty(document)?;
        writeln!(out, "{}", escaped_json(&text))
    })
}

/// Writes a result to standard output. The messages that have led to it come first, where they are
/// printed.
pub(crate) fn print(
    transcript: &Transcript,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    transcript.finish(PRINT_TIME);
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
    // What could not be written must not be tried again when the buffer goes.
    drop(out.into_parts());
    Ok(unless_unread(written).context("cannot write standard output")?)
}

fn not_found(number: RfcNumber) -> Failure {
    Failure::new(Code::NotFound, anyhow::anyhow!("nobody has RFC {number}"))
}

/// The exit code of what went wrong with the index.
pub fn of_index(error: IndexError) -> Failure {
    let code = match error.fault() {
        Fault::Protocol => Code::Protocol,
        _ => Code::IndexUnreachable,
    };
    Failure::new(code, error)
}

fn of_get(error: GetError) -> Failure {
    match error {
        GetError::Index(error) | GetError::Unregistered(error) => of_index(error),
        GetError::Library(error) => Failure::new(Code::Other, error),
        GetError::NoHolder { fault, .. } => {
            let code = match fault {
                Fault::Unreachable => Code::NoHolder,
                Fault::Protocol => Code::Protocol,
                Fault::WrongBytes => Code::WrongBytes,
            };
            Failure::new(code, error)
        }
        GetError::OnlyOurselves(_) => Failure::new(Code::NoHolder, error),
        GetError::Interrupted => Failure::new(Code::Other, error),
    }
}

/// How a peer stands, in lines for a person.
pub fn status(peer: &Peer) -> Vec<String> {
    let Counts {
        uploads,
        uploaded_bytes,
        downloads,
        downloaded_bytes,
        last_uploads,
    } = peer.activity.counts();
    let library = peer.library();
    let (shared, folder) = (library.shared().len(), library.folder().display());
    let mut lines = vec![
        format!("This peer: {}", peer.me()),
        format!("Index: {}", peer.index.standing()),
        format!("Shared: {shared} RFC(s) of {folder}"),
        format!("Uploads: {uploads} ({uploaded_bytes} bytes)"),
        format!("Downloads: {downloads} ({downloaded_bytes} bytes)"),
    ];
    for LastUpload { number, to, at } in last_uploads {
        let at = DateTime::<Local>::from(at).format("%T");
        lines.push(format!("RFC {number} was downloaded by {to} at {at}"));
    }
    lines
}
