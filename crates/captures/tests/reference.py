"""Prints what an independent reader makes of a recording, for tests/reference.rs.

    reference.py probe
    reference.py LIBRARY FORMAT FILE [CHIP MHZ]

Output, little-endian: for each frame three uint32 (chains, streams, tones), eight float64 (see META) and the channel as
complex128 [chain][stream][tone], in the library's own order of tones.
"""

import struct
import sys

import numpy as np

# time, rssi 0, 1, 2, noise, agc or stream, counter or sequence, scale to sqrt(SNR); NaN where it does not say.
META = 8
NAN = float("nan")


def older_numpy():
    """CSIKit 2.5 counts on what numpy had before 1.24 and 2.0: np.complex, and np.int8 that wraps."""
    np.complex = complex
    np.int8 = lambda x: np.asarray(x & 0xFF, dtype=np.uint8).view("i1")[()]


def put(out, matrix, meta):
    """matrix: [tone][chain][stream]"""
    matrix = np.asarray(matrix, dtype=np.complex128)
    n, rx, tx = matrix.shape
    meta = list(meta) + [NAN] * (META - len(meta))
    out.write(struct.pack("<3I8d", rx, tx, n, *[float(x) for x in meta]))
    out.write(np.ascontiguousarray(matrix.transpose(1, 2, 0)).astype("<c16").tobytes())


def csikit_feitcsi(out, path):
    from CSIKit.reader.readers.read_feitcsi import FeitCSIBeamformReader

    for f in FeitCSIBeamformReader().read_file(path, interpolate=False).frames:
        put(out, f.csi_matrix, [f.mu_clock, f.rssi_1, f.rssi_2])


def csikit_intel(out, path):
    from CSIKit.reader.readers.read_bfee import IWLBeamformReader

    older_numpy()
    for f in IWLBeamformReader().read_file(path).frames:
        put(out, f.csi_matrix, [f.timestamp_low, f.rssi_a, f.rssi_b, f.rssi_c, f.noise, f.agc, f.bfee_count])


def csikit_atheros(out, path):
    from CSIKit.reader.readers.read_atheros import ATHBeamformReader

    for f in ATHBeamformReader().read_file(path).frames:
        matrix = np.asarray(f.csi_matrix).transpose(0, 2, 1)
        put(out, matrix, [f.timestamp, f.rssi_1, f.rssi_2, f.rssi_3])


def csikit_nexmon(out, path):
    from CSIKit.reader.readers.read_pcap import NEXBeamformReader

    for f in NEXBeamformReader().read_file(path).frames:
        matrix = np.asarray(f.csi_matrix).reshape(-1, 1, 1)
        put(out, matrix, [f.timestamp, f.rssi])


def csikit_picoscenes(out, path):
    from CSIKit.reader.readers.read_pico import PicoScenesBeamformReader

    older_numpy()
    for f in PicoScenesBeamformReader().read_file(path).frames:
        matrix = np.asarray(f.csi_matrix)
        if type(f).__name__ == "ATHCSIFrame":
            matrix = matrix.transpose(0, 2, 1)
        put(out, matrix, [])


def csiread_intel(out, path):
    import csiread

    raw = csiread.Intel(path, nrxnum=3, ntxnum=3, if_report=False)
    raw.read()
    scaled = raw.get_scaled_csi()
    for i in range(raw.count):
        rx, tx = raw.Nrx[i], raw.Ntx[i]
        counts, snr = raw.csi[i, :, :rx, :tx], scaled[i, :, :rx, :tx]
        scale = np.sqrt((np.abs(snr) ** 2).sum() / (np.abs(counts) ** 2).sum())
        rssi = [raw.rssi_a[i], raw.rssi_b[i], raw.rssi_c[i]]
        put(out, counts, [raw.timestamp_low[i], *rssi, raw.noise[i], raw.agc[i], raw.bfee_count[i], scale])


def csiread_atheros(out, path):
    import csiread

    raw = csiread.Atheros(path, nrxnum=3, ntxnum=3, tones=56, if_report=False)
    raw.read()
    for i in range(raw.count):
        rssi = [raw.rssi_1[i], raw.rssi_2[i], raw.rssi_3[i]]
        put(out, raw.csi[i, :, : raw.nr[i], : raw.nc[i]], [raw.timestamp[i], *rssi])


def csiread_nexmon(out, path, chip, mhz):
    import csiread

    # Only NexmonPull46 has the RSSI, and its matrices of the 4366c0 are overflown; those of Nexmon are not.
    raw = csiread.Nexmon(path, chip, int(mhz), if_report=False)
    raw.read()
    patched = csiread.NexmonPull46(path, chip, int(mhz), if_report=False)
    patched.read()
    for i in range(raw.count):
        stream = 8 * raw.spatial[i] + raw.core[i]
        time = int(raw.sec[i]) * 1_000_000 + int(raw.usec[i])
        put(out, raw.csi[i].reshape(-1, 1, 1), [time, patched.rssi[i], NAN, NAN, NAN, stream, raw.seq[i]])


def csiread_picoscenes(out, path):
    import csiread

    raw = csiread.Picoscenes(path, {"CSI": (114, 3, 3)}, if_report=False)
    raw.read()
    for f in raw.raw:
        info = f["CSI"]["Info"]
        tx = int(info["NumTx"]) + int(info["NumESS"])
        matrix = f["CSI"]["CSI"][: info["NumTones"], : info["NumRx"], :tx]
        if info["DeviceType"] == 0x2000:
            # It takes out what it holds for pilots (-21, -6, 9, 24, by its own index; the pilots are +-7, +-21), and of
            # the second chain three or four other tones than the index says: NaN for all of these.
            index = f["CSI"]["SubcarrierIndex"]
            kept = 1 + int(np.argmax(index == index.max()))
            half = int(index.max())
            band = [k for k in range(-half, half + 1) if k]
            full = np.full((2 * half, *matrix.shape[1:]), NAN, dtype=np.complex128)
            full[[band.index(k) for k in index[:kept]], 0] = matrix[:kept, 0]
            matrix = full
        basic = f["RxSBasic"]
        rssi = [basic["RSSI1"], basic["RSSI2"], basic["RSSI3"]]
        time = f["MVMExtra"]["MuClock"] or basic["Timestamp"]
        put(out, matrix, [time, *rssi, basic["NoiseFloor"], NAN, f["StandardHeader"]["Sequence"]])


def main():
    if sys.argv[1:] == ["probe"]:
        import csiread  # noqa: F401
        import CSIKit  # noqa: F401

        return
    library, kind, path = sys.argv[1:4]
    out, sys.stdout = sys.stdout.buffer, sys.stderr  # the libraries print
    globals()[f"{library}_{kind}"](out, path, *sys.argv[4:])


main()
