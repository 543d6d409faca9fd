"""The report of a run: facts in, wording once, and one page for each kind of reader.

`facts` holds what happened, `view` words it, and html, markdown, junit, machine and terminal each lay the same words out.
Nothing is loaded here, so that naming the package stays cheap.
"""
