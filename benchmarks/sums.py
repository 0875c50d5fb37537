"""How far PyTorch's sums are from f64: the figures that Tests/Run/NetworkRuntimeTests/SumTests.swift holds ours against.

    python3 benchmarks/sums.py         torch 2.13.0

Normal inputs; root mean square of the error, as a part of that of the result: of the product alone, with a bias, and with a residual,
each a hundred times the product.
"""

import torch

torch.manual_seed(0)
torch.set_num_threads(2)


def error(y, truth):
    return ((y.double() - truth).pow(2).mean() / truth.pow(2).mean()).sqrt().item()


def row(name, product, truth, with_bias, bias, residual):
    print(
        f"{name:24} {error(product, truth):.3g}  bias {error(with_bias, truth + bias.double()):.3g}"
        f"  residual {error(product + residual, truth + residual.double()):.3g}")


for inputs in (3584, 18944, 65536):
    for rows in (1, 16):
        x, w = torch.randn(rows, inputs), torch.randn(64, inputs)
        truth = x.double() @ w.double().T
        size = 100 * truth.pow(2).mean().sqrt().float()
        bias, residual = torch.randn(64) * size, torch.randn(rows, 64) * size
        linear = torch.nn.functional.linear
        row(f"{inputs} inputs, {rows} rows", linear(x, w), truth, linear(x, w, bias), bias, residual)

x, w = torch.randn(1, 1280, 12, 12), torch.randn(40, 1280, 3, 3)
truth = torch.nn.functional.conv2d(x.double(), w.double(), padding=1)
size = 100 * truth.pow(2).mean().sqrt().float()
bias, residual = torch.randn(40) * size, torch.randn(truth.shape) * size
conv = torch.nn.functional.conv2d
row("1280 channels", conv(x, w, padding=1), truth, conv(x, w, bias, padding=1), bias[None, :, None, None], residual)
