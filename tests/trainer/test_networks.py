"""The founding study's networks, parameter for parameter."""

from typing import Any, get_args

import pytest

from digitd.trainer.networks.activations import Activation, Activations

pytestmark = pytest.mark.train


def build(name: str, side: int, activations: Activations | None = None) -> Any:
    from digitd.trainer import networks

    return networks.build(name, (side, side, 1), 10, activations or Activations())


@pytest.mark.parametrize(
    ("name", "side", "parameters", "layers"),
    [
        ("dense", 128, 16_788_490, "Flatten Dense Dense"),
        ("conv1", 128, 130_067_786, "Conv2D MaxPooling2D Flatten Dense Dense"),
        ("conv2", 128, 59_012_490, "Conv2D MaxPooling2D Conv2D MaxPooling2D Flatten Dense Dense"),
        ("conv3", 64, 26_313_738, "Conv2D Conv2D MaxPooling2D Conv2D MaxPooling2D Flatten Dense Dense Dense"),
        ("final64", 64, 6_446_986, "Conv2D MaxPooling2D Conv2D MaxPooling2D Flatten Dense Dense"),
    ],
)
def test_the_founding_studys_networks_have_their_parameters(name: str, side: int, parameters: int, layers: str) -> None:
    model = build(name, side)
    assert model.count_params() == parameters
    assert [type(layer).__name__ for layer in model.layers[1:]] == layers.split()


@pytest.mark.parametrize("activation", get_args(Activation))
def test_activations_go_where_they_are_asked_for(activation: Activation) -> None:
    layers = build("conv3", 32, Activations(convolution=activation, dense="tanh", output="sigmoid")).layers
    names = [(type(layer).__name__, layer.activation.__name__) for layer in layers if hasattr(layer, "activation")]
    assert names == [("Conv2D", activation)] * 3 + [("Dense", "tanh")] * 2 + [("Dense", "sigmoid")]


def test_every_file_of_the_folder_is_a_network_under_its_name() -> None:
    from digitd.trainer import networks

    for name in networks.NETWORKS:
        assert build(name, 16).name == name
