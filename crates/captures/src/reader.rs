//! The one loop over all formats: where records begin, what is skipped and why.

use crate::fault::{Fault, Reason};
use crate::frame::CaptureFrame;
use crate::{atheros, feitcsi, intel5300, nexmon, picoscenes};

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// FeitCSI's file, which is also its UDP datagram.
    FeitCsi,
    /// Nexmon's UDP datagrams in a classic pcap file. For single datagrams: [`nexmon::payload`].
    NexmonPcap,
    /// `log_to_file` of the Linux 802.11n CSI Tool.
    Intel5300,
    /// `recv_csi` of the Atheros CSI Tool.
    Atheros,
    /// PicoScenes' `.csi`.
    PicoScenes,
}

/// What one look at the bytes gave.
pub(crate) enum Step {
    /// A frame of so many bytes.
    Frame(usize),
    /// A sound record of so many bytes that holds no channel.
    Other(usize),
    /// So many bytes before the first record.
    Prelude(usize),
    /// A record of so many bytes that gave no frame.
    Bad(usize, Reason),
    /// No record begins here.
    Lost,
    /// The bytes end inside the record.
    Short,
}

/// How much a reader has read and skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames.
    pub frames: u64,
    /// Sound records without a channel (other packets, payloads of received frames).
    pub others: u64,
    /// Faults.
    pub faults: u64,
    /// Bytes in those faults.
    pub fault_bytes: u64,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 5] =
        [Format::FeitCsi, Format::NexmonPcap, Format::Intel5300, Format::Atheros, Format::PicoScenes];

    /// The format whose record stands at the start of `bytes`; `None` if it is none of them.
    pub fn detect(bytes: &[u8]) -> Option<Format> {
        // Those with a magic number first.
        let order =
            [Format::NexmonPcap, Format::PicoScenes, Format::FeitCsi, Format::Intel5300, Format::Atheros];
        order.into_iter().find(|format| match format {
            Format::NexmonPcap => nexmon::File::open(bytes).is_some(),
            other => other.begins(bytes, None),
        })
    }

    /// Whether a record seems to begin at the start of `bytes`. Constant time; used to find the next one.
    fn begins(self, bytes: &[u8], pcap: Option<nexmon::File>) -> bool {
        match self {
            Format::FeitCsi => feitcsi::begins(bytes),
            Format::NexmonPcap => pcap.is_some_and(|file| file.begins(bytes)),
            Format::Intel5300 => intel5300::begins(bytes),
            Format::Atheros => atheros::begins(bytes),
            Format::PicoScenes => picoscenes::begins(bytes),
        }
    }
}

/// Reads a recording from its first byte. Every call either consumes bytes or ends, whatever they are.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    format: Format,
    bytes: &'a [u8],
    at: usize,
    pcap: Option<nexmon::File>,
    ended: bool,
    counts: Counts,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes`.
    pub fn new(format: Format, bytes: &'a [u8]) -> Reader<'a> {
        Reader { format, bytes, at: 0, pcap: None, ended: false, counts: Counts::default() }
    }

    /// Bytes of whole records so far. When more of a growing recording has arrived, go on with
    /// [`Reader::resume`] on everything; for all formats but pcap a new reader on the bytes from here on does as well.
    pub fn consumed(&self) -> usize {
        self.at
    }

    /// What was read and skipped so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Goes on where it ended, on a longer copy of the same recording.
    pub fn resume<'b>(&self, longer: &'b [u8]) -> Reader<'b> {
        let at = self.at.min(longer.len());
        let Reader { format, pcap, mut counts, .. } = *self;
        if self.ended {
            // The cut record is read again.
            counts.faults -= 1;
            counts.fault_bytes -= (self.bytes.len() - self.at) as u64;
        }
        Reader { format, bytes: longer, at, pcap, ended: false, counts }
    }

    /// Reads the next frame into `frame`; `None` at the end. After a fault the next call goes on behind it, except
    /// after [`Reason::Truncated`], which is always the last.
    ///
    /// # Errors
    /// A [`Fault`] for every stretch that gave no frame and is no sound record of something else. `frame` is then
    /// unspecified.
    pub fn read(&mut self, frame: &mut CaptureFrame) -> Option<Result<(), Fault>> {
        while !self.ended && self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            match self.step(rest, frame) {
                Step::Frame(n) => {
                    self.at += n;
                    self.counts.frames += 1;
                    return Some(Ok(()));
                }
                Step::Other(n) => {
                    self.at += n;
                    self.counts.others += 1;
                }
                Step::Prelude(n) => self.at += n,
                Step::Bad(n, reason) => return Some(Err(self.fault(n, reason))),
                Step::Lost => {
                    let next = self.next_record(rest).unwrap_or(rest.len());
                    return Some(Err(self.fault(next, Reason::Framing)));
                }
                Step::Short => {
                    // A record that would swallow the next one has a damaged length.
                    if let Some(next) = self.next_record(rest) {
                        return Some(Err(self.fault(next, Reason::Framing)));
                    }
                    self.ended = true;
                    let begun = self.at;
                    let fault = self.fault(rest.len(), Reason::Truncated);
                    self.at = begun;
                    return Some(Err(fault));
                }
            }
        }
        None
    }

    /// Where in `rest` the next record seems to begin.
    fn next_record(&self, rest: &[u8]) -> Option<usize> {
        (1..rest.len()).find(|&k| self.format.begins(&rest[k..], self.pcap))
    }

    fn fault(&mut self, bytes: usize, reason: Reason) -> Fault {
        let fault = Fault { offset: self.at, bytes, reason };
        self.at += bytes;
        self.counts.faults += 1;
        self.counts.fault_bytes += bytes as u64;
        fault
    }

    fn step(&mut self, rest: &[u8], frame: &mut CaptureFrame) -> Step {
        frame.clear();
        match self.format {
            Format::FeitCsi => feitcsi::step(rest, frame),
            Format::Intel5300 => intel5300::step(rest, frame),
            Format::Atheros => atheros::step(rest, frame),
            Format::PicoScenes => picoscenes::step(rest, frame),
            Format::NexmonPcap => match self.pcap {
                Some(file) => file.step(rest, frame),
                None => self.open(rest),
            },
        }
    }

    /// The header of a pcap file.
    fn open(&mut self, rest: &[u8]) -> Step {
        if rest.len() < nexmon::File::HEADER_BYTES {
            return Step::Short;
        }
        self.pcap = nexmon::File::open(rest);
        match self.pcap {
            Some(_) => Step::Prelude(nexmon::File::HEADER_BYTES),
            // Without a header nothing says what the records are.
            None => Step::Bad(rest.len(), Reason::Framing),
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<CaptureFrame, Fault>;

    /// As [`Reader::read`], with a new frame for each.
    fn next(&mut self) -> Option<Self::Item> {
        let mut frame = CaptureFrame::default();
        self.read(&mut frame).map(|result| result.map(|()| frame))
    }
}
