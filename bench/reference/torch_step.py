"""Times PyTorch's forward and input-gradient steps on request, one JSON line per command.

    python torch_step.py --net gtsrb6|resnet18 --batch N --threads T [--channels-last]

Commands, one per line on stdin:

    forward K     K forward passes without autograd       -> {"ms": [...]}
    step K        K forward + input-gradient steps        -> {"ms": [...]}
    export PATH   the very net as ONNX, dynamic batch     -> {"path": PATH, "bytes": N}
    versions      versions, threads, build                -> {...}
    quit          end (as does end of input)

Every command gets exactly one line; a command that fails gets {"error": "..."}. The process warms up
before it answers its first command, so a caller that sends `versions` first waits for the warm-up.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
import time
import warnings

import torch
import torch.nn.functional as F
from torch import nn


class Gtsrb6(nn.Module):
    """Six convolutions and two linear layers for 32x32 traffic signs, on raw 0..255 pixels."""

    def __init__(self, width=32, hidden=512, classes=43):
        super().__init__()
        w = width

        def stage(inputs, outputs):
            return [
                nn.Conv2d(inputs, outputs, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(outputs, outputs, 3),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]

        self.features = nn.Sequential(*stage(3, w), *stage(w, 2 * w), *stage(2 * w, 4 * w))
        # 32 -> 30 -> 15 -> 13 -> 6 -> 4 -> 2
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(4 * w * 2 * 2, hidden), nn.ReLU(), nn.Linear(hidden, classes)
        )

    def forward(self, x):
        return self.classifier(self.features(x / 255))


def export_onnx(model, x, path, training=False):
    """Exports through the TorchScript exporter, keeping parameter names and unfused BatchNormalization."""
    mode = torch.onnx.TrainingMode
    with warnings.catch_warnings():
        # Deprecation of this exporter and the tracer's remarks about shapes; the result is checked by the callers.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (x,),
            path,
            input_names=["input"],
            output_names=["logits"],
            dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
            opset_version=17,
            dynamo=False,
            do_constant_folding=False,
            training=mode.TRAINING if training else mode.PRESERVE,
        )


class Stepper:
    def __init__(self, net, batch, channels_last):
        torch.manual_seed(0)
        if net == "gtsrb6":
            self.model, classes = Gtsrb6(), 43
            self.x = torch.rand(batch, 3, 32, 32) * 255
        else:
            # Imported here, since torchvision takes long to load.
            from torchvision.models import resnet18

            self.model, classes = resnet18(weights=None), 1000
            self.x = torch.randn(batch, 3, 224, 224)
        self.labels = torch.randint(classes, (batch,))
        self.model.eval().requires_grad_(False)
        if channels_last:
            self.model.to(memory_format=torch.channels_last)
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        self.x.requires_grad_(True)

    def forward(self):
        with torch.no_grad():
            return self.model(self.x)

    def step(self):
        loss = F.cross_entropy(self.model(self.x), self.labels, reduction="sum")
        return torch.autograd.grad(loss, self.x)[0]

    def warm_up(self):
        for _ in range(3):
            self.forward()
            self.step()

    def export(self, path):
        # A contiguous batch of two: one would be traced as a constant in some shapes.
        shape = (2, *self.x.shape[1:])
        export_onnx(self.model, torch.zeros(shape), path)
        return {"path": path, "bytes": os.path.getsize(path)}


def times(function, count):
    out = []
    for _ in range(count):
        start = time.perf_counter()
        function()
        out.append((time.perf_counter() - start) * 1e3)
    return {"ms": out}


def versions(args):
    import numpy
    import onnx
    import torchvision

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": numpy.__version__,
        "onnx": onnx.__version__,
        "threads": torch.get_num_threads(),
        "config": [line.strip() for line in torch.__config__.show().splitlines()[:9]],
        "net": args.net,
        "batch": args.batch,
        "channels_last": args.channels_last,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=["gtsrb6", "resnet18"], required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--channels-last", action="store_true")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    stepper = Stepper(args.net, args.batch, args.channels_last)
    stepper.warm_up()

    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if not command:
            continue
        if command == "quit":
            break
        try:
            # Whatever a library prints must not mix with the answers.
            with contextlib.redirect_stdout(sys.stderr):
                if command == "forward":
                    answer = times(stepper.forward, int(argument))
                elif command == "step":
                    answer = times(stepper.step, int(argument))
                elif command == "export":
                    answer = stepper.export(argument.strip())
                elif command == "versions":
                    answer = versions(args)
                else:
                    raise ValueError(f"unknown command {command!r}")
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
