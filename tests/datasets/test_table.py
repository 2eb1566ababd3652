"""Tables: what a CSV file from anywhere becomes, and what is said of a file that is wrong."""

import re
import time
from pathlib import Path

import pytest

from autograd_lite.datasets import DataError, Table, read_csv
from tests.datasets.common import table


@pytest.fixture
def csv_file(tmp_path: Path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "data.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_delimiter_is_found_by_itself(csv_file, delimiter):
    rows = [["size, or so", "name"], ["1", "a; b|c, d"], ["2", "e\tf"]]
    text = "\n".join(delimiter.join(f'"{field}"' for field in row) for row in rows)
    read = read_csv(csv_file(text))
    assert [read.names, *read.rows] == rows


def test_a_stray_separator_does_not_win(csv_file):
    assert read_csv(csv_file("name;weight, kg;b\nx;1;2\ny;3;4\n")).names == ["name", "weight, kg", "b"]


def test_byte_order_mark_blank_lines_and_spaces_are_no_data(csv_file):
    read = read_csv(csv_file("\ufeffa , b\r\n\r\n 1, x \r\n"))
    assert (read.names, read.rows, read.lines) == (["a", "b"], [["1", "x"]], [3])


def test_a_quoted_field_may_run_over_lines(csv_file):
    read = read_csv(csv_file('a,b\n"x\ny",1\n"say ""z""",2\n'))
    assert (read.rows, read.lines) == ([["x\ny", "1"], ['say "z"', "2"]], [2, 4])


def test_missing_fields(csv_file):
    read = read_csv(csv_file("a,b\n,NA\n?,nan\nNULL,n/a\nnone,0\n"))
    assert read.rows == [[None, None]] * 3 + [["none", "0"]]


def test_unnamed_columns_are_named_by_place(csv_file):
    assert read_csv(csv_file(",a,\n1,2,3\n")).names == ["column 1", "a", "column 3"]


def test_decimal_commas_between_semicolons(csv_file):
    assert read_csv(csv_file("a;b\n39,1;x\n40;y\n")).numbers("a") == [39.1, 40.0]
    assert not read_csv(csv_file("a\tb\n39,1\tx\n40,2\ty\n")).is_numeric("a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "data.csv is empty"),
        (b" \n\n", "data.csv is empty"),
        (b"a,b\n", "data.csv has a header and no rows"),
        (b"a,b\n1,2\n1,caf\xe9\n", "data.csv is not UTF-8 text (line 3, byte 0xe9): save it as UTF-8"),
        (b"\xff\xfea\x00,\x00b\x00", "data.csv is not UTF-8 text (line 1, byte 0xff): save it as UTF-8"),
        (b"a,b\n1,2\n\n3\n", "data.csv, line 4: 1 fields where the header has 2 columns"),
        (b"a,b\n1,2,3\n", "data.csv, line 2: 3 fields where the header has 2 columns"),
        (b"a,b,a\n1,2,3\n", "data.csv has 2 columns named 'a': rename all but one"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "data.csv, line 3: unexpected end of data"),
    ],
)
def test_wrong_files(csv_file, content, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read_csv(csv_file(content))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"^cannot read '.*absent\.csv': No such file"):
        read_csv(str(tmp_path / "absent.csv"))
    with pytest.raises(DataError, match="Is a directory"):
        read_csv(tmp_path)


def test_an_unknown_column_gets_the_closest_name():
    t = table("Species,mass 1,2")
    with pytest.raises(DataError, match=r"^t\.csv has no column 'specie': did you mean 'Species'\?$"):
        t.column("specie")
    with pytest.raises(DataError, match=r"^t\.csv has no column 'zzz': it has 'Species', 'mass'$"):
        t.column("zzz")


def test_a_text_among_numbers_is_an_error_with_its_line():
    t = table("x,y 1,a 2,b 3,a abc,b")
    assert t.is_numeric("x")
    with pytest.raises(DataError, match=r"^t\.csv, line 5, column 'x': 'abc' is not a number, unlike"):
        t.numbers("x")


@pytest.mark.parametrize("field", ["1_000", "inf", "-Infinity", "1e999", "0x10", "1,5", "one"])
def test_what_is_no_number(field):
    assert not Table("t.csv", ["x"], [[field]], [2]).is_numeric("x")


def test_texts_that_recur_among_few_values_are_categories():
    assert not table("x,y 0,a 1,b 0,a 3+,b 1,a 3+,b 0,c 1,c").is_numeric("x")


def test_a_column_of_mostly_texts_is_one_of_texts():
    assert not table("x 1 A5 2 B6 C7 3").is_numeric("x")


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        (["1", "1.0", "0", None], ["1", "1", "0", None]),
        (["0.50", "2", ".5"], ["0.5", "2", "0.5"]),
        (["1", "1", "x", "x"], ["1", "1", "x", "x"]),
    ],
)
def test_class_names_of_numbers(fields, names):
    assert Table("t.csv", ["y"], [[f] for f in fields], [0] * len(fields)).classes("y") == names


@pytest.mark.parametrize(("strays", "numeric"), [(1, True), (2, True), (3, False)])
def test_a_tenth_of_a_column_may_be_strays(strays, numeric):
    fields = [*map(str, range(100, 129 - strays)), *[f"s{k}" for k in range(strays)]]
    assert len(fields) == 29  # of which a tenth is 2
    t = Table("t.csv", ["x"], [[f] for f in fields], list(range(29)))
    assert t.is_numeric("x") is numeric


@pytest.mark.parametrize(("fields", "numeric"), [("1 s", False), ("1 2 s", True), ("1 2 s t", False)])
def test_one_stray_is_allowed_where_it_is_the_smaller_part(fields, numeric):
    assert table(f"x {fields}").is_numeric("x") is numeric


def test_a_hint_shows_twelve_columns(csv_file):
    names = [f"{c}{c}{c}" for c in "abcdefghijklm"]
    for count, end in (12, "'lll'"), (13, "'lll', …"):
        with pytest.raises(DataError) as raised:
            Table("t.csv", names[:count], [], []).column("0")
        assert (
            str(raised.value) == f"t.csv has no column '0': it has {', '.join(map(repr, names[:11]))}, {end}"
        )


def test_the_delimiter_is_the_one_by_which_most_rows_are_as_long_as_the_header(csv_file):
    # By commas the header is longer, but one row only is as long as it.
    text = "a,b,c;d\n1,2,3;4\n" + "1;2\n" * 5
    assert read_csv(csv_file(text)).names == ["a,b,c", "d"]
    text = "a,b,c;d\n" + "1,2,3;4\n" * 5
    assert read_csv(csv_file(text)).names == ["a", "b", "c;d"]  # as many by either: the longer


def test_control_characters_are_signs_from_the_start(csv_file):
    t = read_csv(csv_file('x\x1b,y\n"a\tb\nc",\x9b2J\x00\n'))
    assert t.names == ["x\ufffd", "y"]
    assert t.rows == [["a\tb\nc", "\ufffd2J\ufffd"]]


def test_a_file_without_end_is_refused():
    with pytest.raises(DataError, match=r"^cannot read '/dev/zero': it is longer than 100,000,000 bytes"):
        read_csv("/dev/zero")


def test_looking_up_a_column_does_not_take_longer_where_there_are_many(csv_file):
    """Each of a million look-ups is a step: searched for in a list, the names would be 5,000,000,000."""
    names = [f"x{i}" for i in range(10_000)]
    t = Table("t.csv", names, [["1"] * len(names)], [2])
    start = time.process_time()
    for _ in range(100):
        for name in names:
            t.column(name)
    assert time.process_time() - start < 20.0
