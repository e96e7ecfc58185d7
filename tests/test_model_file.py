"""Promises of the model file: predictions come back bit for bit, half a file never exists, and a file that was cut,
changed, written by another program or by a newer Crossent is refused in one line.
"""

import json
import os
import struct
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import crossent
from crossent import modelfile
from crossent.errors import CrossentError
from crossent.files import replacing
from test_model import rows_of_everything


@pytest.fixture(scope="module", params=[2, 3], ids=["two classes", "three classes"])
def saved(request, tmp_path_factory):
    rows = rows_of_everything(300, request.param)
    model = crossent.train(rows, "grade", text="words")
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    model.save(path)
    return model, rows, path


def test_predictions_come_back_bit_for_bit(saved):
    model, rows, path = saved
    again = crossent.load(path)
    assert (again.predict_proba(rows) == model.predict_proba(rows)).all()
    assert again.explain("good film") == model.explain("good film")
    assert again.weights() == model.weights()


def test_everything_else_comes_back(saved):
    model, _, path = saved
    again = crossent.load(path)
    assert (again.classes, again.schema) == (model.classes, model.schema)
    assert again.certificate == model.certificate
    assert again.test == model.test
    assert again.metadata == model.metadata


@pytest.mark.parametrize("values", [[0, 1], [-1.5, 2.5], [False, True], ["no", "yes"]], ids=str)
def test_classes_keep_their_type(values, tmp_path):
    rows = {"x": [0.0, 1.0, 2.0, 3.0] * 10, "y": [values[0], values[0], values[1], values[1]] * 10}
    crossent.train(rows, "y").save(tmp_path / "m")
    again = crossent.load(tmp_path / "m")
    assert again.classes == values
    assert [type(label) for label in again.classes] == [type(value) for value in values]
    assert again.predict(rows).tolist() == rows["y"]


def test_a_certificate_without_a_bound_comes_back(tmp_path):
    rows = {"x": [0.0, 1.0, 2.0, 3.0] * 10, "y": [0, 0, 1, 1] * 10}
    with pytest.warns(match="separable"):
        model = crossent.train(rows, "y", C=float("inf"))
    model.save(tmp_path / "m")
    assert crossent.load(tmp_path / "m").certificate == model.certificate


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_byte_is_noticed(saved, tmp_path_factory, data):
    content = bytearray(saved[2].read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "changed"
    path.write_bytes(content)
    with pytest.raises(CrossentError, match=r"changed|damaged|another program|newer|not a model|unknown|trai") as told:
        crossent.load(path)
    assert "\n" not in str(told.value)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_cut_short_is_noticed(saved, tmp_path_factory, data):
    content = saved[2].read_bytes()
    path = tmp_path_factory.getbasetemp() / "cut"
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(CrossentError, match=r"cut short|not a model file"):
        crossent.load(path)


def rewritten(path, out, change):
    """Write a model file whose JSON was changed, with a checksum that fits: as an attacker would."""
    content, tensors = modelfile.load(path)
    change(content, tensors)
    modelfile.save(out, content, tensors)
    return out


@pytest.mark.parametrize(
    "change",
    [
        lambda content, tensors: content.pop("classes"),
        lambda content, tensors: content["classes"].append("more"),
        lambda content, tensors: content.update(classes=3),
        lambda content, tensors: content.update(schema={"columns": [{"name": 1}]}),
        lambda content, tensors: content.update(encoder={"columns": [{"name": "a", "kind": "magic"}]}),
        lambda content, tensors: content.update(encoder=[]),
        lambda content, tensors: content.update(certificate={}),
        lambda content, tensors: tensors.pop("coef"),
        lambda content, tensors: tensors.update(coef=tensors["coef"][:, 1:]),
        lambda content, tensors: tensors.update(coef=tensors["coef"].astype(np.float32)),
        lambda content, tensors: tensors.update(intercept=tensors["intercept"] * np.nan),
        lambda content, tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("encoder")],
        lambda content, tensors: tensors.update(
            {name: array[:-1] for name, array in tensors.items() if name.startswith("encoder")}
        ),
    ],
)
def test_parts_that_do_not_fit_are_told(saved, tmp_path, change):
    path = rewritten(saved[2], tmp_path / "odd", change)
    with pytest.raises(CrossentError, match="do not fit together") as told:
        crossent.load(path)
    assert "\n" not in str(told.value)


def test_files_of_others_are_told(saved, tmp_path):
    save_file({"weight": np.zeros(3)}, tmp_path / "other.safetensors")
    (tmp_path / "text").write_text("age,job\n3,4\n" * 100)
    about = {"format": "crossent", "version": str(modelfile.VERSION + 1)}
    save_file({"coef": np.zeros(3)}, tmp_path / "newer", about)
    save_file({"coef": np.zeros(3)}, tmp_path / "odd", about | {"version": "x"})
    for name, said in {
        "other.safetensors": "of another program",
        "text": "is not a model file",
        "newer": r"written by a newer Crossent \(format 2; this one reads 1\); upgrade",
        "odd": "format 'x', which is unknown",
        "nothing": "there is no such file",
        ".": "is a folder",
    }.items():
        with pytest.raises(CrossentError, match=said):
            crossent.load(tmp_path / name)


@pytest.mark.parametrize("shape", [[2**40], [2**62, 4], [2**63 - 1, 2**63 - 1], [-1]], ids=str)
@pytest.mark.parametrize("header", [None, 2**40, 2**63])
def test_a_size_that_the_file_does_not_have_is_refused_before_anything_is_allocated(tmp_path, shape, header):
    tensor = {"dtype": "F64", "shape": shape, "data_offsets": [0, 8]}
    text = json.dumps({"__metadata__": {"format": "crossent", "version": "1"}, "coef": tensor}).encode()
    path = tmp_path / "huge"
    path.write_bytes(struct.pack("<Q", header or len(text)) + text + bytes(8))
    with pytest.raises(CrossentError, match=r"cut short or damaged|not a model file"):
        crossent.load(path)


def test_half_a_file_never_exists(saved, tmp_path, monkeypatch):
    """Whatever fails while writing, what was there stays, and nothing else is left in the folder."""
    model, _, before = saved
    path = tmp_path / "model.safetensors"
    path.write_bytes(before.read_bytes())

    def fails(*_):
        raise OSError(28, "No space left on device")

    for culprit in ("crossent.files.os.fsync", "crossent.files.os.replace", "crossent.modelfile.serialize"):
        with monkeypatch.context() as patch:
            patch.setattr(culprit, fails)
            with pytest.raises(OSError, match="No space left"):
                model.save(path)
        assert path.read_bytes() == before.read_bytes()
        assert os.listdir(tmp_path) == ["model.safetensors"]


def test_a_link_is_followed_and_a_folder_refused(tmp_path):
    (tmp_path / "there").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with replacing(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "there").read_text() == "new"
    assert (tmp_path / "link").is_symlink()
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "no" / "file", "there is no folder")):
        with pytest.raises(CrossentError, match=said), replacing(path):
            pass


def test_half_a_million_terms_save_and_load_in_no_time(tmp_path):
    """Loading does no work for each term: it is far below the time it takes to make a Python list of them."""
    size = 250_000
    words = [f"w{i:x}" for i in range(size)]
    text = [" ".join(words[i : i + 500] * 2) for i in range(0, size, 500)]
    model = crossent.train({"text": text, "y": [0, 1] * (len(text) // 2)}, "y", text="text", test=0, tol=1e-1)
    assert model.coef.shape[1] > 2 * size - 2000
    began = time.perf_counter()
    names = model.encoder.names_of(np.arange(model.encoder.n_features))
    listed = time.perf_counter() - began
    model.save(tmp_path / "m")
    began = time.perf_counter()
    again = crossent.load(tmp_path / "m")
    loaded = time.perf_counter() - began
    assert loaded < max(0.2, listed)
    assert again.encoder.names_of([0, 7]) == [names[0], names[7]]
    row = pa.table({"text": text[:3]})
    assert (again.predict_proba(row) == model.predict_proba(row)).all()
