"""The formats of an export: each turns batches of rows into bytes, and keeps none of them; pure.

A cell is None where nothing is known, text, a number, a boolean, an aware time, or (JSON alone) a map.
"""

import csv
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from app.models.types import ExportFormat

Cell = Any

#: With these a spreadsheet begins a formula, some of them in their wide form, too: a tag must not become a command.
FORMULA = frozenset("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the wide ones are meant

#: How much of a finished file is read at once.
CHUNK_BYTES = 256 * 1024

#: A sheet of a workbook holds no more rows, its head among them.
SHEET_ROWS = 1_048_576
#: And a cell no more characters.
CELL_LENGTH = 32_767


class Writer(Protocol):
    """Makes a file of one format."""

    def begin(self, names: Sequence[str]) -> bytes:
        """What stands before the first row."""

    def rows(self, batch: Sequence[Sequence[Cell]]) -> bytes:
        """The rows as they are sent; empty for a format that is sent when all is known."""

    def end(self) -> Iterator[bytes]:
        """What is left to be sent."""

    def close(self) -> None:
        """Give up what was held, whether or not the file was finished."""


class CsvWriter:
    """RFC 4180 in UTF-8 with a byte order mark, without which spreadsheets take it for another encoding.

    Text that would be a formula gets an apostrophe in front (OWASP, CSV injection).
    """

    def begin(self, names: Sequence[str]) -> bytes:
        return b"\xef\xbb\xbf" + self.rows([names])

    def rows(self, batch: Sequence[Sequence[Cell]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([_csv_cell(cell) for cell in row] for row in batch)
        return text.getvalue().encode(errors="replace")

    def end(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        pass


class JsonLinesWriter:
    """One JSON object a line, in UTF-8; times in ISO 8601 with their zone."""

    def __init__(self) -> None:
        self._names: Sequence[str] = ()

    def begin(self, names: Sequence[str]) -> bytes:
        self._names = names
        return b""

    def rows(self, batch: Sequence[Sequence[Cell]]) -> bytes:
        option = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
        return b"".join(orjson.dumps(dict(zip(self._names, row, strict=True)), option=option) for row in batch)

    def end(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        pass


class WorkbookWriter:
    """An Office Open XML workbook. Every cell says what it is, so that no text is ever a formula.

    It can be sent only when it is finished: until then it grows in a file without a name.
    """

    def __init__(self) -> None:
        import xlsxwriter  # only whoever exports needs it

        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "remove_timezone": True,
        }
        self._book = xlsxwriter.Workbook(self._file, options)
        self._bold = self._book.add_format({"bold": True})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._names: Sequence[str] = ()
        self._next_sheet()

    def begin(self, names: Sequence[str]) -> bytes:
        self._names = names
        self._head()
        return b""

    def rows(self, batch: Sequence[Sequence[Cell]]) -> bytes:
        for row in batch:
            if self._row == SHEET_ROWS:
                self._next_sheet()
                self._head()
            for column, cell in enumerate(row):
                self._put(column, cell)
            self._row += 1
        return b""

    def end(self) -> Iterator[bytes]:
        self._book.close()
        self._file.seek(0, os.SEEK_SET)
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk

    def close(self) -> None:
        self._file.close()

    def _next_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._row = 0

    def _head(self) -> None:
        for column, name in enumerate(self._names):
            self._sheet.write_string(self._row, column, name[:CELL_LENGTH], self._bold)
        self._row += 1

    def _put(self, column: int, cell: Cell) -> None:
        if cell is None or cell == "":
            return
        if isinstance(cell, datetime):
            self._sheet.write_datetime(self._row, column, cell.astimezone(UTC), self._time)
        elif isinstance(cell, bool):
            self._sheet.write_boolean(self._row, column, cell)
        elif isinstance(cell, int):
            self._sheet.write_number(self._row, column, cell)
        else:
            self._sheet.write_string(self._row, column, str(cell)[:CELL_LENGTH])


WRITERS: dict[ExportFormat, type[Writer]] = {
    ExportFormat.CSV: CsvWriter,
    ExportFormat.JSON_LINES: JsonLinesWriter,
    ExportFormat.XLSX: WorkbookWriter,
}


def _csv_cell(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return f"'{cell}" if cell[:1] in FORMULA and cell else cell
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return cell
