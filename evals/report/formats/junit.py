"""The report for CI systems: one test case per check, and one for the verdict as a whole."""

from __future__ import annotations

from xml.etree import ElementTree

from evals.report.facts import RunFacts
from evals.report.numbers import parse
from evals.report.sections.board import CheckBoard
from evals.report.sections.check import CheckView
from evals.report.view import ReportView

__all__ = ["render_junit"]


def render_junit(facts: RunFacts, view: ReportView) -> str:
    """Return JUnit XML. Whatever is no PASS is a failure or an error; checks that don't decide are skipped."""
    root = ElementTree.Element("testsuites", name=f"gatewright {view.target}")
    for board in view.boards:
        root.append(_suite(facts, view, board))
    if not view.boards:
        root.append(_nothing_judged(facts, view))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(facts: RunFacts, view: ReportView, board: CheckBoard) -> ElementTree.Element:
    cases = [_verdict_case(view, board), *(_check_case(view, check) for check in board.checks)]
    suite = ElementTree.Element("testsuite", _attributes(facts, view, board.title, cases))
    suite.append(_properties(view))
    suite.extend(cases)
    return suite


def _nothing_judged(facts: RunFacts, view: ReportView) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=view.target, name="verdict")
    ElementTree.SubElement(case, "error", type="ERROR", message=view.headline.line)
    suite = ElementTree.Element("testsuite", _attributes(facts, view, "Checks", [case]))
    suite.extend([_properties(view), case])
    return suite


def _verdict_case(view: ReportView, board: CheckBoard) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=view.target, name="verdict")
    if board.outcome != "PASS":
        tag = "error" if board.outcome == "ERROR" else "failure"
        found = ElementTree.SubElement(case, tag, type=board.outcome, message=view.headline.line)
        found.text = "\n".join(board.reasons)
    return case


def _check_case(view: ReportView, check: CheckView) -> ElementTree.Element:
    group = f"{view.target}.{check.suite}" if check.suite else view.target
    case = ElementTree.Element("testcase", classname=group, name=f"{check.name}: {check.bar}")
    if not check.decides:
        why = "; ".join((*check.marks, f"{check.outcome}: {check.reason}"))
        ElementTree.SubElement(case, "skipped", message=why)
    elif check.outcome != "PASS":
        tag = "error" if check.outcome == "ERROR" else "failure"
        found = ElementTree.SubElement(case, tag, type=check.outcome, message=check.reason)
        found.text = _numbers(check)
    return case


def _numbers(check: CheckView) -> str:
    return (
        f"candidate {check.candidate}, baseline {check.baseline}, difference {check.difference}; "
        f"{check.level} of the {check.interval_of} {check.interval}; {check.n}; {check.method}"
    )


def _attributes(
    facts: RunFacts, view: ReportView, title: str, cases: list[ElementTree.Element]
) -> dict[str, str]:
    return {"name": f"{view.target}: {title}", **_counts(cases), **_when(facts)}


def _counts(cases: list[ElementTree.Element]) -> dict[str, str]:
    return {"tests": str(len(cases))} | {
        name: str(sum(case.find(tag) is not None for case in cases))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }


def _when(facts: RunFacts) -> dict[str, str]:
    start, end = parse(facts.started), parse(facts.finished)
    if start is None:
        return {}
    took = {} if end is None else {"time": f"{(end - start).total_seconds():.3f}"}
    return {"timestamp": start.strftime("%Y-%m-%dT%H:%M:%S")} | took


def _properties(view: ReportView) -> ElementTree.Element:
    properties = ElementTree.Element("properties")
    for pair in view.provenance:
        ElementTree.SubElement(properties, "property", name=pair.name, value=pair.value)
    for note in view.notes:
        ElementTree.SubElement(properties, "property", name="note", value=note)
    return properties
