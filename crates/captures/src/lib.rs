//! Readers of the CSI recordings that other tools make: bytes in, frames with units out.
//!
//! * [`Reader`]: a recording's bytes → [`CaptureFrame`]s, or [`Fault`]s with offset and reason. One loop for FeitCSI
//!   (Intel AX200/AX210), Nexmon pcap (Broadcom), the Linux 802.11n CSI Tool (Intel 5300), the Atheros CSI Tool and
//!   PicoScenes (AX200, 5300, QCA9300). Pure, total, bounded: hostile bytes give faults.
//! * [`nexmon::payload`]: the same for one Nexmon UDP payload, whatever carried it.
//! * [`CaptureFrame`]: time and its clock, band, tones by signed index, the channel as `[rx][tx][tone]`, RSSI, noise,
//!   gain, addresses. What the format does not say is absent.
//! * [`Stream`]: one pair of it, and on a [`wavewitness_types::ToneGrid`] where every tone was measured; else the
//!   missing tones by name.
//! * [`tones`]: occupied tones, pilots and band rotation of the standard.
//! * [`intel5300::sqrt_snr`], [`CaptureFrame::sqrt_mw`]: counts to √SNR and √mW.
//!
//! `docs/captures.md` has every byte table, the physics that the recordings show, and where the reference readers are
//! wrong.
//!
//! What this crate does not do: no files, no sockets; no pcapng and no link types but Ethernet and raw IP
//! (`ingest::pcap` takes those apart and [`nexmon::payload`] reads what is in them); no interpolation of tones that
//! were not measured; no phase or gain correction beyond conjugation and quarter turns, which are exact; it does not
//! put Nexmon's streams of one received frame together; no CSI of USRPs, no compressed PicoScenes segments.
//!
//! ```
//! use wavewitness_captures::{CaptureFrame, Format, Reader};
//! # let recording: &[u8] = &[];
//! let mut frame = CaptureFrame::default();
//! let mut reader = Reader::new(Format::FeitCsi, recording);
//! while let Some(read) = reader.read(&mut frame) {
//!     match read {
//!         Ok(()) => println!("{:?}: {} tones", frame.time, frame.tones.len()),
//!         Err(fault) => eprintln!("{fault}"),
//!     }
//! }
//! ```

mod atheros;
mod bytes;
mod fault;
mod feitcsi;
mod frame;
pub mod intel5300;
mod intel_ax;
pub mod nexmon;
mod picoscenes;
mod reader;
pub mod tones;

pub use fault::{Fault, Reason};
pub use frame::{CaptureFrame, Chip, Clock, MAX_CHAINS, OffGrid, PhaseSense, Stream, Time};
pub use reader::{Counts, Format, Reader};
pub use tones::Phy;
