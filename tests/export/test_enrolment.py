"""The last layer of a released network: read, exposed, replaced, taught."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from digitd.daemon.audio import Samples
from digitd.daemon.errors import ExportError
from digitd.daemon.pipeline import PipelineConfig
from digitd.daemon.session import open_session
from digitd.daemon.spotter import NEXT_STATE, STATE, Spotter
from digitd.daemon.stream_features import MelStream
from digitd.export import enrolment, guard, last_layer, weights
from digitd.export.calibration import adaptation
from digitd.export.calibration.adaptation import Comparison
from digitd.export.calibration.hearing import Heard
from digitd.export.calibration.personal_bundle import Enrolled, stage
from digitd.export.calibration.take import Take
from digitd.export.enrolment import EnrolmentConfig, Lesson, Spoken


def hidden_and_posteriors(path: Path, spotter: Spotter, samples: Samples, hidden: str) -> tuple[Samples, Samples]:
    frames = MelStream(spotter.spec).push(samples)
    whole = len(frames) // spotter.spec.frames_per_output * spotter.spec.frames_per_output
    feeds = {"frames": frames[np.newaxis, :whole], STATE: spotter.silence()}
    outputs = open_session(path, "cpu").run([hidden, "posteriors", NEXT_STATE], feeds)
    return outputs[0][0], outputs[1][0]


@pytest.mark.parametrize("stored", ["int8", "float16", "float32"])
def test_what_it_reads_and_exposes_is_what_the_network_computes(
    stored: weights.Weights, spotter: Spotter, demo: Samples, tmp_path: Path
) -> None:
    path = spotter.bundle.graph_path
    if stored != "int8":  # as no released bundle is stored: its int8 weights, unpacked
        layer = last_layer.read(path, "posteriors")
        layer.replaced(tmp_path / "float32.onnx", layer.weights)
        path = tmp_path / f"{stored}.onnx"
        if stored == "float16":
            weights.store(tmp_path / "float32.onnx", path, "float16")
    layer = last_layer.read(path, "posteriors")
    layer.exposing(tmp_path / "exposed.onnx")
    hidden, posteriors = hidden_and_posteriors(tmp_path / "exposed.onnx", spotter, demo, layer.hidden)
    assert np.abs(enrolment.posteriors(hidden, layer.weights) - posteriors).max() < 1e-5


def test_replaced_weights_answer_and_what_they_replace_is_gone(spotter: Spotter, tmp_path: Path) -> None:
    layer = last_layer.read(spotter.bundle.graph_path, "posteriors")
    other = layer.weights + np.random.default_rng(0).normal(0, 0.1, layer.weights.shape)
    layer.replaced(tmp_path / "other.onnx", other)
    again = last_layer.read(tmp_path / "other.onnx", "posteriors")
    assert np.abs(again.weights - other).max() < 1e-6
    names = {tensor.name for tensor in onnx.load(tmp_path / "other.onnx").graph.initializer}
    assert not {name for name in names if "logits" in name and name.endswith(("/int8", "/scale"))}
    folder = tmp_path / "bundle"
    folder.mkdir()
    thresholds = spotter.bundle.manifest.thresholds
    network = stage(folder, spotter.bundle, "other", thresholds, Enrolled(layer, other))  # it proves its golden vector
    assert isinstance(network, Spotter)
    assert network.bundle.manifest.origin.derived_from == spotter.bundle.manifest.name


def test_a_network_of_another_form_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    shape = [1, 3]
    graph = helper.make_graph(
        [helper.make_node("Sigmoid", ["x"], ["posteriors"])],
        "other",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("posteriors", TensorProto.FLOAT, shape)],
    )
    onnx.save(helper.make_model(graph), tmp_path / "other.onnx")
    with pytest.raises(ExportError, match="Sigmoid where Softmax should be"):
        last_layer.read(tmp_path / "other.onnx", "posteriors")


def made_up(n_inputs: int = 8, n_outputs: int = 4) -> tuple[Lesson, last_layer.Weights]:
    """Inputs whose wanted answers come from other weights than the shipped ones."""
    generator = np.random.default_rng(1)
    inputs = np.concatenate([generator.normal(size=(400, n_inputs)), np.ones((400, 1))], axis=1)
    truth = generator.normal(size=(n_inputs + 1, n_outputs))
    powers = np.exp(inputs @ truth)
    wanted = powers / powers.sum(axis=1, keepdims=True)
    return Lesson(inputs, wanted, np.ones(400)), np.zeros_like(truth)


def test_a_lesson_is_learnt_as_far_as_the_shipped_weights_let_it() -> None:
    lesson, shipped = made_up()
    free = enrolment.taught([lesson], shipped, EnrolmentConfig(shipped_weight=1e-6))
    held = enrolment.taught([lesson], shipped, EnrolmentConfig(shipped_weight=1e6))
    hidden = lesson.inputs[:, :-1].astype(np.float32)
    assert np.abs(enrolment.posteriors(hidden, free) - lesson.wanted).max() < 0.01
    assert np.abs(held - shipped).max() < 1e-3


def test_due_outputs_lie_where_the_network_tells_of_the_word() -> None:
    at_s = np.linspace(0.04, 2.0, 50)
    spoken = Spoken(0, np.zeros((50, 1), np.float32), start_s=0.5, end_s=1.0)
    shares = np.full(50, 1e-3, np.float32)
    shares[22:27] = 0.9  # 0.92 to 1.08 s
    assert enrolment.due_outputs(shares, at_s, spoken).tolist() == [22, 23, 24, 25, 26]
    silent = enrolment.due_outputs(np.full(50, 1e-3, np.float32), at_s, spoken)
    assert at_s[silent[0]] == pytest.approx(1.12, abs=0.041)
    assert len(enrolment.due_outputs(shares[:3], at_s[:3], spoken)) == 3


def test_the_guards_recordings_are_whole() -> None:
    for name, least_s in ((guard.TAUGHT_WORDS, 200), (guard.TAUGHT_DIGITS, 60), (guard.ASKED_WORDS, 150)):
        samples = guard.read(name)
        assert least_s < len(samples) / guard.RATE_HZ < 400
        assert 0.1 < np.abs(samples).max() <= 1.0


def test_more_false_digits_or_a_gain_by_chance_is_refused() -> None:

    silence: Samples = np.zeros(160, np.float32)
    before = [Heard(Take("1", silence, 16000), "1" if n < 10 else "") for n in range(20)]
    better = [Heard(Take("1", silence, 16000), "1" if n < 18 else "") for n in range(20)]
    calm = {"always": 3, "entry": 9}

    def found(after: list[Heard], gains: list[float], guarded: dict[str, int]) -> list[str]:
        heard_before, heard_after = {"always": before, "entry": before}, {"always": after, "entry": after}
        return Comparison(heard_before, heard_after, tuple(gains), calm, guarded).objections  # type: ignore[arg-type]

    assert found(better, [0.3] * 20, calm) == []
    assert "no more" in found(before, [0.3] * 20, calm)[0]
    assert "chance" in found(better, [0.3, -0.3] * 10, calm)[0]
    assert "other words give 10 digits in place of 9" in found(better, [0.3] * 20, {"always": 3, "entry": 10})[0]


def test_folds_hold_out_every_take_once_and_no_digit_wholly(spotter: Spotter, demo: Samples, tmp_path: Path) -> None:

    takes = [Take(str(n % 10), demo, 16000) for n in range(20)]
    with pytest.raises(ExportError, match="9 recordings are too few"):
        adaptation.Adaptation(spotter, takes[:9], PipelineConfig(), tmp_path)
    folds = adaptation.folds([take.label for take in takes], spotter.bundle.manifest.labels)
    assert sorted(set(folds)) == list(range(10))
    for fold in set(folds):
        labels = [take.label for take, each in zip(takes, folds, strict=True) if each == fold]
        assert len(labels) == len(set(labels)) == 2
