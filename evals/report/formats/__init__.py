"""Lays a report out: HTML, Markdown, JUnit XML, JSON and the terminal, all from one `ReportView`.

In: the view, with its words and rounded numbers (JSON and JUnit also the facts). Out: text, or something Rich prints. Each
module escapes for its own form; none decides, words or rounds anything. Begin with `markdown`, the shortest whole page.
"""
