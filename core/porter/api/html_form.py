"""A result in a notebook: what the run comes to, the results table and the verdicts. Nothing of a record is markup."""

from __future__ import annotations

from porter.cli.result_table import result_cells
from porter.cli.run_summary import overall_lines
from porter.documents.html import text
from porter.records.record import RunRecord


def html_of(record: RunRecord) -> str:
    """One element, without scripts and styles of its own beyond alignment."""
    first, *rest = overall_lines(record) or ["not verified"]
    parts = [f"<p><strong>{text(first)}</strong></p>", *(f"<p>{text(line)}</p>" for line in rest)]
    titles, rows = result_cells(record)
    if rows:
        head = "".join(f"<th>{text(title)}</th>" for title in titles)
        body = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    for verdict in record.verdicts:
        note = f" ({verdict.note})" if verdict.note else ""
        evidence = "".join(f"<li>{text(line)}</li>" for line in (*verdict.evidence, *verdict.advice))
        summary = f"<summary>{text(verdict.state.upper())} {text(verdict.title)}{text(note)}</summary>"
        parts.append(f"<details>{summary}<ul>{evidence}</ul></details>")
    return f"<div>{''.join(parts)}</div>"
