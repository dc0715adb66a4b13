//! A bank on disk: the library's two files, and one of ours that says what they must be.
//!
//! The library ends the process on some damaged files. So it never sees one: our file holds a BLAKE3 hash of each of its
//! own, and is written last, so a bank that was not saved to its end is no bank.

use crate::scan::Scan;
use crate::{Cosine, DIM, PatternBank, SCANNED};
use hnsw_rs::api::AnnT;
use hnsw_rs::hnswio::HnswIo;
use hnsw_rs::prelude::Hnsw;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

const BASENAME: &str = "bank";
const MAGIC: &[u8; 8] = b"WWBANK01";

/// Why a bank was not saved.
#[derive(Debug)]
pub struct SaveError(String);

/// Why a bank was not loaded.
#[derive(Debug)]
pub enum LoadError {
    /// A file is missing or can't be read.
    Read(PathBuf, std::io::Error),
    /// A file is not what was saved: save the bank anew from its patterns.
    Damaged(PathBuf),
}

impl std::fmt::Display for SaveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the bank was not saved: {}", self.0)
    }
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LoadError::Read(path, error) => write!(f, "can't read {}: {error}", path.display()),
            LoadError::Damaged(path) => write!(f, "{} is not what was saved", path.display()),
        }
    }
}

impl std::error::Error for SaveError {}
impl std::error::Error for LoadError {}

fn graph_file(directory: &Path) -> PathBuf {
    directory.join("bank.hnsw.graph")
}

fn data_file(directory: &Path) -> PathBuf {
    directory.join("bank.hnsw.data")
}

fn seal_file(directory: &Path) -> PathBuf {
    directory.join("bank.seal")
}

fn hash(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(*hasher.finalize().as_bytes())
}

impl PatternBank {
    /// Saves to a directory, which is made and must not exist. The numbers of patterns stay.
    ///
    /// # Errors
    /// If the bank has no patterns, the directory exists, or something can't be written. What was written stays; without
    /// the last file it is no bank.
    pub fn save(&self, directory: &Path) -> Result<(), SaveError> {
        let failed = |e: &dyn std::fmt::Display| SaveError(e.to_string());
        if self.removed.is_empty() {
            return Err(SaveError("it has no patterns".to_owned()));
        }
        fs::create_dir(directory).map_err(|e| failed(&e))?;
        self.graph.file_dump(directory, BASENAME).map_err(|e| failed(&e))?;
        let mut seal = MAGIC.to_vec();
        seal.extend((self.removed.len() as u32).to_le_bytes());
        for file in [graph_file(directory), data_file(directory)] {
            File::open(&file).and_then(|f| f.sync_all()).map_err(|e| failed(&e))?;
            seal.extend(hash(&file).map_err(|e| failed(&e))?);
        }
        seal.extend(self.removed.iter().map(|&r| u8::from(r)));
        let sealed = *blake3::hash(&seal).as_bytes();
        seal.extend(sealed);
        let mut file = File::create_new(seal_file(directory)).map_err(|e| failed(&e))?;
        file.write_all(&seal).and_then(|()| file.sync_all()).map_err(|e| failed(&e))
    }

    /// Loads what [`PatternBank::save`] saved. (The library's reader must live as long as the graph; it is leaked, some
    /// hundred bytes a call.)
    ///
    /// # Errors
    /// If a file is missing, or differs in one bit from what was saved.
    pub fn load(directory: &Path) -> Result<PatternBank, LoadError> {
        let path = seal_file(directory);
        let seal = fs::read(&path).map_err(|e| LoadError::Read(path.clone(), e))?;
        let head = 8 + 4 + 64;
        if seal.len() < head + 32 || &seal[..8] != MAGIC {
            return Err(LoadError::Damaged(path));
        }
        let (body, sealed) = seal.split_at(seal.len() - 32);
        let count = u32::from_le_bytes([seal[8], seal[9], seal[10], seal[11]]) as usize;
        if blake3::hash(body).as_bytes() != sealed || body.len() != head + count {
            return Err(LoadError::Damaged(path));
        }
        for (file, at) in [(graph_file(directory), 12), (data_file(directory), 44)] {
            let found = hash(&file).map_err(|e| LoadError::Read(file.clone(), e))?;
            if found != body[at..at + 32] {
                return Err(LoadError::Damaged(file));
            }
        }
        let reader = Box::leak(Box::new(HnswIo::new(directory, BASENAME)));
        let mut graph =
            reader.load_hnsw::<f32, Cosine>().map_err(|_| LoadError::Damaged(graph_file(directory)))?;
        // The reader sets what an insertion would not have had.
        graph.set_extend_candidates(false);
        if graph.get_nb_point() != count {
            return Err(LoadError::Damaged(path));
        }
        let removed: Vec<bool> = body[head..].iter().map(|&r| r != 0).collect();
        let alive = removed.iter().filter(|&&r| !r).count() as u32;
        let scan = scan_of(&graph, &removed).ok_or_else(|| LoadError::Damaged(graph_file(directory)))?;
        Ok(PatternBank { graph, cosine: Cosine::default(), scan, removed, alive })
    }
}

/// The first patterns of a graph by number; `None` if one is missing or of another length.
fn scan_of(graph: &Hnsw<'static, f32, Cosine>, removed: &[bool]) -> Option<Scan> {
    let mut first = vec![None; removed.len().min(SCANNED as usize)];
    for point in graph.get_point_indexation() {
        if let Some(place) = first.get_mut(point.get_origin_id()) {
            *place = <[f32; DIM]>::try_from(point.get_v()).ok();
        }
    }
    let mut scan = Scan::new();
    for (id, pattern) in (0..).zip(first) {
        scan.put(id, &pattern?);
        if removed[id as usize] {
            scan.remove(id);
        }
    }
    Some(scan)
}
