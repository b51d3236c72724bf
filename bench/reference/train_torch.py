"""Trains an ONNX classifier with PyTorch eager on request, one JSON line per command.

    python train_torch.py --model MODEL.onnx --threads T

The graph is run operator by operator with torch.nn.functional; float initializers are parameters, but for running
statistics, which are buffers. Dropout is left out unless --dropout is given. Commands, one per line on stdin:

    step B K      K steps of Adam on one random mini-batch of B images   -> {"ms": mean, "cpuMs": mean}
    train FOLDER  trains as FOLDER/settings.json says on FOLDER/images.npy (N,C,H,W, preprocessed), FOLDER/labels.npy and
                  FOLDER/order.npy (epochs, N)                           -> {"losses": [...], "statistics": {...}, "weights": {...}}
    versions                                                             -> {...}
    quit          end (as does end of input)
"""

import argparse
import json
import os
import platform
import sys
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


class OnnxNetwork(torch.nn.Module):
    def __init__(self, path, dropout):
        super().__init__()
        graph = onnx.load(path).graph
        self.nodes = [(n.op_type, list(n.input), list(n.output), attributes(n)) for n in graph.node]
        self.input = graph.input[0]
        self.output = graph.output[0].name
        self.dropout = dropout
        running = {name for n in graph.node if n.op_type == "BatchNormalization" for name in n.input[3:5]}
        self.values = {}
        for tensor in graph.initializer:
            value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
            value = value.to(torch.get_default_dtype()) if value.is_floating_point() else value
            trains = value.is_floating_point() and value.ndim > 0 and tensor.name not in running
            self.values[tensor.name] = torch.nn.Parameter(value) if trains else value
        self.running = sorted(running)
        self.weights = {k: v for k, v in self.values.items() if isinstance(v, torch.nn.Parameter)}

    def forward(self, x):
        values = {**self.values, self.input.name: x}
        for op, inputs, outputs, a in self.nodes:
            values[outputs[0]] = self.apply_node(op, [values[i] for i in inputs], a)
        return values[self.output]

    def apply_node(self, op, x, a):
        if op == "Conv":
            top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
            if (top, left) != (bottom, right):
                x[0], top, left = F.pad(x[0], (left, right, top, bottom)), 0, 0
            return F.conv2d(*x, stride=a.get("strides", 1), padding=(top, left))
        if op == "Gemm":
            return F.linear(*x)
        if op == "Relu":
            return F.relu(x[0])
        if op == "MaxPool":
            return F.max_pool2d(x[0], a["kernel_shape"], a["strides"])
        if op == "GlobalAveragePool":
            return x[0].mean((2, 3), keepdim=True)
        if op == "Flatten":
            return torch.flatten(x[0], 1)
        if op == "Add":
            return x[0] + x[1]
        if op == "Identity":
            return x[0]
        if op == "Dropout":
            return F.dropout(x[0], float(x[1])) if self.dropout else x[0]
        if op == "BatchNormalization":
            weight, bias, mean, variance = x[1:]
            return F.batch_norm(
                x[0], mean, variance, weight, bias, True, 1 - a.get("momentum", 0.9), a.get("epsilon", 1e-5)
            )
        raise ValueError(f"operator {op}")


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def optimizer_for(settings, weights):
    o = settings
    common = {"lr": o["learningRate"], "weight_decay": o["weightDecay"]}
    if o["kind"] == "sgd":
        return torch.optim.SGD(weights, momentum=o["momentum"], nesterov=o["nesterov"], **common)
    kind = torch.optim.AdamW if o["kind"] == "adamw" else torch.optim.Adam
    return kind(weights, betas=(o["beta1"], o["beta2"]), eps=o["epsilon"], **common)


def one_step(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def time_steps(model, batch, count):
    shape = [d.dim_value for d in model.input.type.tensor_type.shape.dim][1:]
    images = torch.rand(batch, *shape)
    classes = model(images[:2]).shape[1]
    labels = torch.arange(batch) % classes
    optimizer = getattr(model, "optimizer", None) or torch.optim.Adam(model.weights.values())
    model.optimizer = optimizer
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        one_step(model, optimizer, images, labels)
    return {"ms": (time.perf_counter() - start) * 1e3 / count, "cpuMs": (time.process_time() - cpu) * 1e3 / count}


def train(model, folder):
    read = lambda name: torch.from_numpy(np.load(os.path.join(folder, f"{name}.npy")))
    with open(os.path.join(folder, "settings.json")) as file:
        settings = json.load(file)
    images, labels, order = read("images").to(torch.get_default_dtype()), read("labels").long(), read("order").long()
    optimizer = optimizer_for(settings["optimizer"], model.weights.values())
    losses = []
    for epoch in order:
        for part in epoch.split(settings["batch"]):
            losses.append(one_step(model, optimizer, images[part], labels[part]))
    listed = lambda names: {name: model.values[name].detach().flatten().tolist() for name in names}
    return {"losses": losses, "statistics": listed(model.running), "weights": listed(model.weights)}


def versions():
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "onnx": onnx.__version__,
        "threads": torch.get_num_threads(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--dropout", action="store_true")
    parser.add_argument("--double", action="store_true", help="compute in float64")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64 if args.double else torch.float32)
    model = OnnxNetwork(args.model, args.dropout)
    for line in sys.stdin:
        command, *words = line.split()
        if command == "quit":
            break
        if command == "step":
            answer = time_steps(model, int(words[0]), int(words[1]))
        elif command == "train":
            answer = train(model, words[0])
        else:
            answer = versions()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
