"""One kernel per family of types: an Arrow array in, the exact type out, or a `Refusal`.

A kernel looks at each value by itself and names no row. Whoever calls it finds the first offending
row by halving, so that the usual case, in which all values fit, pays nothing for exact errors.
"""
