//! Everything that must survive: one `SQLite` file. While it cannot be written, what is to be written waits
//! in memory, bounded and counted; a damaged file is set aside and what can be read of it is taken over.

mod beside;
mod clips;
mod database;
mod error;
mod machines;
mod ops;
mod query;
mod repair;
mod retention;
mod rollup;
mod schema;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

pub use beside::Compared;
pub use clips::{ClipStore, Quota};
pub(crate) use database::is_damage;
pub use error::StoreError;
pub use ops::{BesideRow, ClipRow, EventRow, FeedbackRow, Op, OutboxRow, ScoreRow, WindowAnswer};
pub use query::{Point, Reader, SqlAnswer};
pub use retention::Retention;
pub use rollup::SPANS_S;

/// Its lock keeps a second service out.
const LOCK: &str = "offkey.lock";
/// Name of the database in the store's folder.
pub const DATABASE: &str = "offkey.db";

/// How the store fares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreHealth {
    /// Why nothing can be written at present; none: all is well.
    pub trouble: Option<String>,
    /// Operations that wait in memory.
    pub waiting: usize,
    /// Windows that were dropped while waiting, since the start.
    pub scores_dropped: u64,
    /// Everything else that was dropped while waiting, since the start.
    pub others_dropped: u64,
    /// What was repaired, in a sentence each.
    pub repairs: Vec<String>,
}

/// The store; one writer.
pub struct Store {
    folder: PathBuf,
    /// Held as long as the store is.
    _lock: Option<fs::File>,
    connection: Option<Connection>,
    pending: VecDeque<Vec<Op>>,
    health: StoreHealth,
}

/// Operations that wait in memory at most. Windows go first; an alarm goes when there is nothing else.
const MOST_WAITING: usize = 200_000;

impl Store {
    /// Opens the store in a folder; a damaged database is repaired, and one that cannot be opened at
    /// present is tried again at every commit.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] for a store of a later version; [`StoreError::InUse`] while another process has
    /// it; [`StoreError::Io`] when the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder)
            .map_err(|source| StoreError::Io { path: folder.to_owned(), source })?;
        let mut store = Self {
            folder: folder.to_owned(),
            _lock: lock(folder)?,
            connection: None,
            pending: VecDeque::new(),
            health: StoreHealth::default(),
        };
        match store.connect() {
            Err(error @ StoreError::TooNew { .. }) => return Err(error),
            Err(error) => store.health.trouble = Some(offkey_core::with_causes(&error)),
            Ok(()) => {}
        }
        Ok(store)
    }

    /// The database file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// How the store fares.
    pub fn health(&self) -> &StoreHealth {
        &self.health
    }

    /// Takes operations that belong together; [`Store::commit`] writes them.
    pub fn put(&mut self, batch: Vec<Op>) {
        if batch.is_empty() {
            return;
        }
        self.health.waiting += batch.len();
        self.pending.push_back(batch);
        if self.health.waiting > MOST_WAITING {
            self.make_room();
        }
    }

    /// Writes all that waits, whole or not at all. True when nothing waits any more.
    pub fn commit(&mut self) -> bool {
        if self.pending.is_empty() && self.health.trouble.is_none() {
            return true;
        }
        match self.try_commit() {
            Ok(()) => {
                self.pending.clear();
                self.health.waiting = 0;
                self.health.trouble = None;
                true
            }
            Err(error) => {
                if database::is_damage(&error) {
                    self.connection = None;
                }
                self.health.trouble = Some(offkey_core::with_causes(&error));
                false
            }
        }
    }

    fn try_commit(&mut self) -> Result<(), StoreError> {
        if self.connection.is_none() {
            self.connect()?;
        }
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let transaction = connection.transaction()?;
        for batch in &self.pending {
            write::write(&transaction, batch)?;
        }
        transaction.commit()?;
        Ok(())
    }

    fn connect(&mut self) -> Result<(), StoreError> {
        let path = self.path();
        let opened = database::open(&path);
        let connection = match opened {
            Err(error) if database::is_damage(&error) => {
                let (connection, report) = repair::repair(&path)?;
                self.health.repairs.push(report);
                connection
            }
            opened => opened?,
        };
        self.connection = Some(connection);
        Ok(())
    }

    /// Messages for a sink, oldest first: those on disk, then those that wait for the disk, less those
    /// delivered already.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when the outbox cannot be read.
    pub fn due(&self, sink: &str, most: usize) -> Result<Vec<OutboxRow>, StoreError> {
        let delivered: BTreeSet<&str> = self
            .waiting()
            .filter_map(|op| match op {
                Op::Delivered { sink: of, id } if of == sink => Some(id.as_str()),
                _ => None,
            })
            .collect();
        let mut rows = Vec::new();
        if let Some(connection) = &self.connection {
            let limit = most + delivered.len();
            rows = query::outbox(connection, sink, limit)?;
        }
        rows.retain(|row| !delivered.contains(row.id.as_str()));
        // What may still be taken back by a crash is not sent, unless the disk may stay full for long.
        let all = self.health.trouble.is_some();
        let waiting = self.waiting().filter(|_| all).filter_map(|op| match op {
            Op::Outbox(row) if row.sink == sink => Some(row),
            _ => None,
        });
        for row in waiting {
            if rows.len() >= most {
                break;
            }
            let known = rows.iter().any(|other| other.id == row.id);
            if !known && !delivered.contains(row.id.as_str()) {
                rows.push(row.clone());
            }
        }
        rows.truncate(most);
        Ok(rows)
    }

    /// A reader of the same database that never writes; of an empty one where there is no file yet.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when it cannot be opened.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path())
    }

    /// States and positions of all machines, as last written.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when they cannot be read.
    pub fn state_of(&self, machine: &str) -> Result<Option<(i64, String)>, StoreError> {
        self.connection.as_ref().map_or(Ok(None), |connection| query::state(connection, machine))
    }

    /// Where the source of a machine stands.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when it cannot be read.
    pub fn position_of(&self, machine: &str) -> Result<BTreeMap<String, String>, StoreError> {
        match &self.connection {
            Some(connection) => query::position(connection, machine),
            None => Ok(BTreeMap::new()),
        }
    }

    /// Removes what is older than it has to be kept, a bounded number of rows per call; true when there is
    /// more to do.
    ///
    /// # Errors
    /// [`StoreError::Sql`]; nothing is removed then.
    pub fn forget(&mut self, retention: &Retention, now_ms: i64) -> Result<bool, StoreError> {
        match &mut self.connection {
            Some(connection) => retention::forget(connection, retention, now_ms),
            None => Ok(false),
        }
    }

    /// Removes everything that is stored of a machine but the machine's place; the names of its clips.
    ///
    /// # Errors
    /// [`StoreError::Sql`]; nothing is removed then.
    pub fn forget_machine(&mut self, machine: &str) -> Result<(), StoreError> {
        self.commit();
        match &mut self.connection {
            Some(connection) => retention::forget_machine(connection, machine),
            None => Ok(()),
        }
    }

    fn waiting(&self) -> impl Iterator<Item = &Op> {
        self.pending.iter().flatten()
    }

    /// Drops windows first, the oldest of them first; then whatever is oldest.
    fn make_room(&mut self) {
        let goal = MOST_WAITING - MOST_WAITING / 10;
        for only_scores in [true, false] {
            for batch in &mut self.pending {
                if self.health.waiting <= goal {
                    break;
                }
                let before = batch.len();
                batch.retain(|op| only_scores && op.matters());
                let dropped = before - batch.len();
                self.health.waiting -= dropped;
                if only_scores {
                    self.health.scores_dropped += dropped as u64;
                } else {
                    self.health.others_dropped += dropped as u64;
                }
            }
        }
        self.pending.retain(|batch| !batch.is_empty());
    }
}

/// Keeps other processes out; none where the file system has no locks, or no room for the file.
fn lock(folder: &Path) -> Result<Option<fs::File>, StoreError> {
    let Ok(file) = fs::File::create(folder.join(LOCK)) else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::InUse { folder: folder.to_owned() }),
        Err(fs::TryLockError::Error(_)) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
