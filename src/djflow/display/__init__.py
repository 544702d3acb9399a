"""How things look: rows, definitions and plans as text for terminals and as HTML for notebooks.

Pure: what is shown comes in, text comes out; nothing here asks a database. All HTML is escaped here, and has
one style sheet (`sheet`), no scripts, and nothing from elsewhere.
"""
