"""The picture: for each recording a piece of its trace, the shapes of its spikes, and its rate."""

import numpy as np
from matplotlib.figure import Figure

import djflow as dj

from .pipeline import Detector, Filtered, Rate, Recording, Spikes, Trace, busiest

BLUE, ORANGE, GREY = "#2b5c8a", "#e07a2f", "#9a9a9a"
SPIKES_SHOWN = 12


def draw(path, detector):
    """Draw the busiest channel of each recording, as the detector sees it."""
    channels = (busiest() & {"detector": detector}).keys()
    figure = Figure(figsize=(15, 3.6 * len(channels)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    panels = figure.subplots(len(channels), 3, width_ratios=(3, 1.4, 2.4), squeeze=False)
    for channel, (trace, shapes, rate) in zip(channels, panels, strict=True):
        draw_trace(trace, channel)
        draw_shapes(shapes, channel)
        draw_rate(rate, channel)
        subject = (Recording & channel).fetch1("subject")
        trace.set_title(f"{subject}, channel {channel['channel']}", loc="left")
    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def draw_trace(axes, channel):
    """A piece of the trace with about a dozen spikes, from the middle of the recording."""
    rate, seconds = (Trace & channel).fetch1("rate", "seconds")
    samples, noise = (Filtered.Channel & channel).fetch1("samples", "noise")
    threshold = noise * (Detector & channel).fetch1("threshold")
    middle = Spikes.Spike & channel & f"time > {seconds / 2}" & dj.Top(SPIKES_SHOWN, "time")
    spikes = middle.to_polars()
    start, stop = spikes["time"].min() - 0.1, spikes["time"].max() + 0.1
    piece = samples[int(start * rate) : int(stop * rate)]
    axes.plot(start + np.arange(len(piece)) / rate, piece, color=BLUE, linewidth=0.8)
    axes.plot(spikes["time"], spikes["height"], "o", color=ORANGE, markersize=5, fillstyle="none")
    for level in (threshold, -threshold):
        axes.axhline(level, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlabel="time (s)", ylabel="mV")


def draw_shapes(axes, channel):
    shapes = np.asarray((Spikes & channel).fetch1("shapes"))
    width = (Detector & channel).fetch1("width")
    times = np.linspace(-width, width, shapes.shape[1]) * 1000
    axes.plot(times, shapes.T, color=BLUE, linewidth=0.4, alpha=0.15)
    axes.plot(times, np.median(shapes, axis=0), color=ORANGE, linewidth=2)
    axes.set(xlabel="time (ms)", title=f"{len(shapes)} spikes and their median")


def draw_rate(axes, channel):
    seconds = (Rate.Second & channel).to_polars()
    smooth = seconds["spikes"].rolling_mean(5, min_samples=1, center=True)
    axes.step(seconds["second"], smooth, color=BLUE, where="mid")
    axes.set(xlabel="time (s)", ylabel="spikes a second", title="rate, mean of 5 s", ylim=(0, None))
    if seconds["force"].is_not_null().any():
        force = axes.twinx()
        force.plot(seconds["second"], seconds["force"], color=ORANGE)
        force.set_ylabel("force (% of the greatest)", color=ORANGE)
        force.spines["top"].set_visible(False)
