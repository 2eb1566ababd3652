"""The command ``predict``: a line for each row, and what stderr says about them."""

import csv
import io
import json
import math
from pathlib import Path

import pytest

from tests.cli.common import BIRDS, PENGUINS, measured


def test_predict_prints_a_line_for_each_row(run, model):
    code, out, err = run("predict", model, PENGUINS)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    truth = [line.split(",") for line in PENGUINS.read_text().splitlines()[1:]]
    assert list(rows[0]) == ["predicted", "P(Adelie)", "P(Chinstrap)", "P(Gentoo)"]
    assert len(rows) == len(truth) == 344
    right = 0
    for row, bird in zip(rows, truth, strict=True):
        if "NA" in bird:
            assert set(row.values()) == {""}
        else:
            p = {name[2:-1]: float(p) for name, p in row.items() if name != "predicted"}
            assert math.fsum(p.values()) == pytest.approx(1.0, abs=2e-6)  # six digits are printed
            assert p[row["predicted"]] == max(p.values())
            right += row["predicted"] == bird[0]
    assert err.splitlines() == [
        "autograd-lite: no prediction for 11 of 344 rows, which have missing fields: "
        "bill_length_mm 2, bill_depth_mm 2, flipper_length_mm 2, body_mass_g 2, sex 11",
        f"autograd-lite: accuracy {right / 333:.4f}: {right} of 333 rows",
    ]
    assert right > 300


def test_predict_is_what_train_measured(run):
    out = run("train", "--target", "sex", "--hidden", 0, "--epochs", 3, "--save", "m.json", "--no-progress")[
        1
    ]
    right = sum(round(measured(out, part, 0) * measured(out, part, 2)) for part in ("training", "held out"))
    assert f": {right} of 333 rows" in run("predict", "m.json", PENGUINS)[2]


def test_predict_needs_no_target_and_any_order_of_columns(run, model):
    Path("new.csv").write_text(
        "year;sex;body_mass_g;note;flipper_length_mm;bill_depth_mm;bill_length_mm;island\n"
        "2008;female;3700;x;190;18,6;38,2;Torgersen\n"
        "2008;male;5500;y;225;15,4;49,0;Atlantis\n"
    )
    code, out, err = run("predict", model, "new.csv")
    assert code == 0
    assert [line.split(",")[0] for line in out.splitlines()] == ["predicted", "Adelie", "Gentoo"]
    assert err == "autograd-lite: column 'island' has values never seen in training: 'Atlantis'\n"


def test_a_row_on_which_a_model_overflows_is_named(run, model):
    """All that the limits allow, but with an activation that lets it through."""
    document = json.loads(model.read_text())
    document["architecture"]["activation"] = "leaky_relu"
    document["parameters"] = dict.fromkeys(document["parameters"], 1e100)
    for column in document["inputs"]:
        if "scale" in column:
            column["scale"] = 1e-100
    model.write_text(json.dumps(document))
    Path("d.csv").write_text(BIRDS.replace("39.1,18.7", "9e99,18.7", 1))
    code, out, err = run("predict", model, "d.csv")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("autograd-lite: d.csv, line 2: the model overflows on this row: ")


def test_models_that_are_no_json(run, model):
    model.write_text(model.read_text()[:-20])
    code, out, err = run("predict", model, PENGUINS)
    assert (code, out) == (2, "")
    assert err.startswith("autograd-lite: model.json is damaged")
    assert run("predict", "absent.json", PENGUINS)[2] == (
        "autograd-lite: cannot read 'absent.json': No such file or directory\n"
    )


def test_predict_on_a_file_that_does_not_fit_the_model(run, model):
    Path("d.csv").write_text(BIRDS.replace("sex", "Sex"))
    expected = "autograd-lite: d.csv has no column 'sex': did you mean 'Sex'?\n"
    assert run("predict", model, "d.csv") == (2, "", expected)
    Path("d.csv").write_text(BIRDS.replace("female,2009", "female,last"))
    expected = (
        "autograd-lite: d.csv, line 102, column 'year': 'last' is not a number, unlike most of the column\n"
    )
    assert run("predict", model, "d.csv") == (2, "", expected)
