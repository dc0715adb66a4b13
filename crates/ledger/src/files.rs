//! Files of a log: each is replaced whole, or not at all.

use crate::error::LedgerError;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use wavewitness_log::{Storage, TileKind, TilePath};

/// A directory of files that are written atomically: draft, `fdatasync`, rename. A name is durable after
/// [`Files::sync_names`].
#[derive(Debug)]
pub(crate) struct Files {
    root: PathBuf,
    /// Directories with names that are not yet durable.
    dirty: BTreeSet<PathBuf>,
}

impl Files {
    /// What is being written and has no name yet. One is enough: a log has one writer.
    const DRAFT: &'static str = "draft";

    pub(crate) fn new(root: &Path) -> Files {
        Files { root: root.to_owned(), dirty: BTreeSet::new() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Makes a directory and its parents below the root; their names become durable with the next sync.
    fn make_dir(&mut self, dir: &Path) -> Result<(), LedgerError> {
        if dir.is_dir() {
            return Ok(());
        }
        if let Some(parent) = dir.parent()
            && parent.starts_with(&self.root)
        {
            self.make_dir(parent)?;
            self.dirty.insert(parent.to_owned());
        }
        match fs::create_dir(dir) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                Err(LedgerError::io("create the directory", dir)(e))
            }
            _ => Ok(()),
        }
    }

    /// Replaces a file by `bytes`, which are on the disk when this returns; its name is with the next
    /// [`Files::sync_names`].
    pub(crate) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        let path = self.path(name);
        let dir = path.parent().unwrap_or(&self.root).to_owned();
        self.make_dir(&dir)?;
        let draft = self.path(Files::DRAFT);
        let mut file = File::create(&draft).map_err(LedgerError::io("create", &draft))?;
        file.write_all(bytes).map_err(LedgerError::io("write", &path))?;
        file.sync_data().map_err(LedgerError::io("sync", &path))?;
        fs::rename(&draft, &path).map_err(LedgerError::io("rename a draft to", &path))?;
        self.dirty.insert(dir);
        Ok(())
    }

    /// Makes every name durable that was written since the last call.
    pub(crate) fn sync_names(&mut self) -> Result<(), LedgerError> {
        for dir in std::mem::take(&mut self.dirty) {
            sync_dir(&dir)?;
        }
        Ok(())
    }

    /// The bytes of a file; `None` if there is none.
    pub(crate) fn load(&self, name: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(LedgerError::io("read", &path)(e)),
        }
    }

    /// Removes a file; that it is gone already is no error.
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), LedgerError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(LedgerError::io("remove", &path)(e)),
            _ => Ok(()),
        }
    }

    /// Removes the partial tiles of the number of `tile` that hold more than `width`, or all for 0.
    pub(crate) fn remove_partials(&mut self, tile: TilePath, wider_than: u16) -> Result<(), LedgerError> {
        let dir = self.partials_dir(tile);
        let mut left = false;
        for width in numbers::<u16>(&dir) {
            match width > wider_than {
                true => self.remove(&TilePath { width, ..tile }.to_string())?,
                false => left = true,
            }
        }
        if !left && dir.is_dir() {
            // A stranger's file in it keeps it; nothing depends on that.
            let _ = fs::remove_dir(&dir);
        }
        Ok(())
    }

    /// Where the partial tiles of the number of `tile` are.
    fn partials_dir(&self, tile: TilePath) -> PathBuf {
        self.path(&format!("{}.p", TilePath { width: 256, ..tile }))
    }

    /// The greatest width stored for the number of `tile`; 0 if there is none.
    pub(crate) fn widest(&self, tile: TilePath) -> u16 {
        if self.path(&TilePath { width: 256, ..tile }.to_string()).is_file() {
            return 256;
        }
        numbers(&self.partials_dir(tile)).max().unwrap_or(0)
    }

    /// The numbers that name files in a directory.
    pub(crate) fn sizes_in(&self, dir: &str) -> impl Iterator<Item = u64> + use<> {
        numbers(&self.path(dir))
    }

    /// Number of the first bundle that is stored, full or in part; `None` if there is none.
    pub(crate) fn first_bundle(&self) -> Option<u64> {
        let mut name = String::from("tile/entries");
        loop {
            let mut elements: Vec<String> = fs::read_dir(self.path(&name))
                .ok()?
                .filter_map(|e| e.ok()?.file_name().into_string().ok())
                .map(|e| e.strip_suffix(".p").unwrap_or(&e).to_owned())
                .filter(|e| e.trim_start_matches('x').len() == 3)
                .collect();
            // Fewer groups of digits are smaller numbers: plain names come before directories.
            elements.sort_by_key(|e| (e.starts_with('x'), e.clone()));
            for element in &elements {
                if let Some(path) = TilePath::parse(&format!("{name}/{element}")) {
                    return Some(path.index);
                }
            }
            name = format!("{name}/{}", elements.iter().find(|e| e.starts_with('x'))?);
        }
    }
}

/// The file names of a directory that are numbers; none if there is no directory.
fn numbers<T: std::str::FromStr>(dir: &Path) -> impl Iterator<Item = T> + use<T> {
    let names = fs::read_dir(dir).into_iter().flatten();
    names.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
}

/// Makes names in a directory durable. (Elsewhere than on Unix a directory can't be opened, nor need be.)
fn sync_dir(path: &Path) -> Result<(), LedgerError> {
    if cfg!(unix) {
        let dir = File::open(path).map_err(LedgerError::io("open the directory", path))?;
        dir.sync_all().map_err(LedgerError::io("sync the directory", path))?;
    }
    Ok(())
}

impl Storage for Files {
    fn read(&mut self, path: TilePath, out: &mut Vec<u8>) -> bool {
        out.clear();
        let exact = self.path(&path.to_string());
        let found = match fs::read(exact) {
            Ok(bytes) => Some(bytes),
            Err(_) => match self.widest(path) {
                width if width >= path.width => {
                    fs::read(self.path(&TilePath { width, ..path }.to_string())).ok()
                }
                _ => None,
            },
        };
        found.inspect(|bytes| out.extend_from_slice(bytes)).is_some()
    }
}

/// The tile of number `index` of a kind, under the name of its full form.
pub(crate) fn numbered(kind: TileKind, index: u64) -> TilePath {
    TilePath { kind, index, width: 256 }
}
