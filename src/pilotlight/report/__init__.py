"""SHOW: what a person or a program sees of a run: terminal summary, JSON, a self-contained HTML page, the picture.

Takes: the Report record (and inside it, the journal's entries). Makes: text, HTML, SVG. May touch: nothing but its
arguments. Start reading at: record.py, then timeline.py; terminal.py and page.py only lay out what the record says.
"""
