"""The tables: recordings, traces, filters, detectors, spikes, rates."""

import numpy as np
import polars as pl

import djflow as dj

from .detect import band_pass, cut_out, detect, noise
from .recordings import READERS

schema = dj.Schema("example_electrophysiology")

BLOCK = 10  # seconds


def as_columns(key):
    """A key as columns that have the same value in each row of a frame."""
    return {name: pl.lit(value) for name, value in key.items()}


@schema
class Filter(dj.Lookup):
    definition = """
    # What is kept of a trace
    filter : varchar(16)
    ---
    low : float64         # Hz
    high : float64        # Hz
    bipolar : bool        # whether each channel is compared with the next one
    """
    contents = [("beats", 5, 40, False), ("muscle fibres", 20, 500, True)]


@schema
class Recording(dj.Manual):
    definition = """
    # What was recorded
    recording : varchar(16)
    ---
    subject : varchar(80)
    -> Filter
    """


@schema
class Trace(dj.Imported):
    definition = """
    # The recording as it is
    -> Recording
    ---
    rate : float64        # samples a second
    seconds : float64     # duration
    samples : <zarr@>     # float32 [time, channel], mV
    force = null : <npy@> # float32 [time], percent of the greatest
    """

    def make(self, key):
        reader, _ = READERS[key["recording"]]
        samples, rate, force = reader()
        # A reader of a larger file would yield its blocks: one is in memory at a time.
        blocks = np.array_split(samples, np.arange(BLOCK * rate, len(samples), BLOCK * rate))
        row = {"rate": rate, "seconds": len(samples) / rate, "samples": dj.Chunks(blocks), "force": force}
        self.insert1({**key, **row})


@schema
class Filtered(dj.Computed):
    definition = """
    # Traces in the band that matters
    -> Trace
    -> Filter
    """

    class Channel(dj.Part):
        definition = """
        -> master
        channel : int16
        ---
        samples : <npy@>  # float32 [time], mV
        noise : float64   # mV, standard deviation
        """

    @property
    def key_source(self):
        """Each trace with the filter of its recording, instead of all with all."""
        return Trace * Filter & Recording

    def make(self, key):
        low, high, bipolar = (Filter & key).fetch1("low", "high", "bipolar")
        samples, rate = (Trace & key).fetch1("samples", "rate")
        samples = np.asarray(samples)
        if bipolar:
            samples = np.diff(samples, axis=1)
        self.insert1(key)
        self.Channel.insert(
            {**key, "channel": number, "samples": channel, "noise": noise(channel)}
            for number, channel in enumerate(band_pass(samples, rate, low, high).T)
        )


@schema
class Detector(dj.Lookup):
    definition = """
    # What counts as a spike
    -> Filter
    detector : varchar(16)
    ---
    threshold : float64   # standard deviations of the noise
    pause : float64       # seconds, least between two spikes
    width : float64       # seconds of its shape to keep on either side
    """
    contents = [
        ("beats", "low", 5, 0.25, 0.3),
        ("beats", "high", 10, 0.25, 0.3),
        ("muscle fibres", "low", 5, 0.01, 0.02),
        ("muscle fibres", "high", 7, 0.01, 0.02),
    ]


@schema
class Spikes(dj.Computed):
    definition = """
    # Each channel searched in each way that its filter knows
    -> Filtered.Channel
    -> Detector
    ---
    shapes : <npy@>       # float32 [spike, time], mV
    """

    class Spike(dj.Part):
        definition = """
        -> master
        spike : int32
        ---
        time : float64    # seconds
        height : float32  # mV
        """

    def make(self, key):
        rate = (Trace & key).fetch1("rate")
        samples, level = (Filtered.Channel & key).fetch1("samples", "noise")
        threshold, pause, width = (Detector & key).fetch1("threshold", "pause", "width")
        samples = np.asarray(samples)
        positions = detect(samples, threshold * level, pause * rate)
        self.insert1({**key, "shapes": cut_out(samples, positions, round(width * rate))})
        spikes = pl.DataFrame({"time": positions / rate, "height": samples[positions]})
        self.Spike.insert(spikes.with_row_index("spike").with_columns(**as_columns(key)))


@schema
class Rate(dj.Computed):
    definition = """
    # How often a channel spikes
    -> Spikes
    ---
    mean : float64            # spikes a second
    """

    class Second(dj.Part):
        definition = """
        -> master
        second : int32
        ---
        spikes : int32
        force = null : float32   # percent of the greatest
        """

    def make(self, key):
        rate, seconds, force = (Trace & key).fetch1("rate", "seconds", "force")
        times = (Spikes.Spike & key).to_arrays("time")
        whole = int(seconds)
        counts = np.bincount(times.astype(int), minlength=whole)[:whole]
        bins = pl.DataFrame({"second": range(whole), "spikes": counts})
        if force is not None:
            each = np.asarray(force)[: whole * int(rate)].reshape(whole, -1)
            bins = bins.with_columns(force=each.mean(axis=1))
        self.insert1({**key, "mean": len(times) / seconds})
        self.Second.insert(bins.with_columns(**as_columns(key)))


def summary():
    """One row a recording and detector: channels, spikes, and the mean rate of the busiest channel."""
    totals = Rate.aggr(Spikes.Spike, "mean", spikes="count(spike)")
    return dj.U("recording", "detector").aggr(
        totals, channels="count(*)", spikes="sum(spikes)", busiest="max(mean)"
    )


def busiest():
    """The channel with the most spikes of each recording and detector."""
    greatest = dj.U("recording", "detector").aggr(Rate, greatest="max(mean)")
    return (Rate * greatest & "mean = greatest").proj("mean")


def tuning(step=5):
    """Spikes a second of an average channel at each level of force, in steps of `step` percent."""
    measured = Rate.Second & "force IS NOT NULL"
    levels = measured.proj("spikes", level=f"floor(force / {step}) * {step}")
    return dj.U("recording", "detector", "level").aggr(levels, rate="avg(spikes)")
