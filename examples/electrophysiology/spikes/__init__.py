"""Spikes in recordings of a heart and a muscle: traces, filters, detection, rates, a figure."""
