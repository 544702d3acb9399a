"""Diagrams as pictures: a plan of what is drawn, its text in Graphviz's language, a layout, SVG and PNG."""
