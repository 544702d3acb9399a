"""Signal processing, without tables."""

import numpy as np
from scipy.signal import butter, find_peaks, sosfiltfilt

# The median absolute deviation of normal noise is this part of its standard deviation.
MAD_OF_NORMAL = 0.6745


def band_pass(samples, rate, low, high):
    """The samples [time, channel] without what is slower than `low` or faster than `high` Hz."""
    sections = butter(3, (low, high), "bandpass", fs=rate, output="sos")
    return sosfiltfilt(sections, samples, axis=0).astype(np.float32)


def noise(channel):
    """The standard deviation of the noise of a channel: an estimate that spikes hardly change."""
    return np.median(np.abs(channel)) / MAD_OF_NORMAL


def detect(channel, threshold, pause):
    """Positions of peaks of either sign higher than `threshold`, at least `pause` samples apart."""
    return find_peaks(np.abs(channel), height=threshold, distance=max(1, round(pause)))[0]


def cut_out(channel, positions, width):
    """The channel around each position, `width` samples to either side: [position, sample]."""
    padded = np.pad(channel, width)
    return np.stack([padded[at : at + 2 * width + 1] for at in positions])
