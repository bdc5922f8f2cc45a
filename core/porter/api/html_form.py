"""A result in a notebook: what the run comes to, the results table and the verdicts. Nothing of a record is markup."""

from __future__ import annotations

from porter.cli.result_table import result_cells
from porter.documents.html import say, text
from porter.records.record import RunRecord


def html_of(record: RunRecord) -> str:
    """One element, without scripts and styles of its own beyond alignment."""
    overall = record.overall
    first, *rest = ("not verified",) if overall is None else overall.sentences
    standing = "" if overall is None else f"<strong>{text(overall.standing.upper())}</strong>: "
    parts = [f"<p>{standing}{say(first)}</p>", *(f"<p>{say(line)}</p>" for line in rest)]
    titles, rows = result_cells(record)
    if rows:
        head = "".join(f"<th>{text(title)}</th>" for title in titles)
        body = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    for verdict in record.verdicts:
        note = f" ({say(verdict.note)})" if verdict.note else ""
        evidence = "".join(f"<li>{say(line)}</li>" for line in (*verdict.evidence, *verdict.advice))
        summary = f"<summary>{text(verdict.state.upper())} {say(verdict.title)}{note}</summary>"
        parts.append(f"<details>{summary}<ul>{evidence}</ul></details>")
    return f"<div>{''.join(parts)}</div>"
