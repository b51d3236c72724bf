"""The PyTorch one-liners of docs/export.md on a small network with random weights.

    python bench/export/torch_models.py DIR      then: npx tsx bench/export/inspect.ts DIR

Needs torch 2.15.0, torchvision 0.29.2, onnx 1.23.2 and onnxscript 0.7.2.
"""

import sys

import torch
import torchvision

folder = sys.argv[1]
torch.manual_seed(0)
model = torchvision.models.resnet18(num_classes=43).eval()
# Two images: an example of one makes some networks fix the batch at one.
example = torch.rand(2, 3, 64, 64)
batch = torch.export.Dim("N")

# Dynamo, the default since 2.9.
torch.onnx.export(
    model, (example,), f"{folder}/pytorch_dynamo.onnx", dynamo=True, external_data=False,
    input_names=["x"], output_names=["logits"], dynamic_shapes=[{0: batch}],
)
# The legacy exporter.
torch.onnx.export(
    model, (example,), f"{folder}/pytorch_legacy.onnx", dynamo=False, opset_version=17,
    input_names=["x"], output_names=["logits"], dynamic_axes={"x": {0: "N"}, "logits": {0: "N"}},
)
# With a fixed batch.
torch.onnx.export(
    model, (example[:1],), f"{folder}/pytorch_fixed.onnx", dynamo=True, external_data=False,
    input_names=["x"], output_names=["logits"],
)
# With the weights in a file of their own, as large models have them.
torch.onnx.export(
    model, (example,), f"{folder}/pytorch_external.onnx", dynamo=True, external_data=True,
    input_names=["x"], output_names=["logits"], dynamic_shapes=[{0: batch}],
)


class Whole(torch.nn.Module):
    """Raw pixels in [0, 255] in, probabilities out."""

    def __init__(self):
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, x):
        return self.model((x / 255 - self.mean) / self.std).softmax(1)


torch.onnx.export(
    Whole().eval(), (example * 255,), f"{folder}/pytorch_preprocessing_softmax.onnx", dynamo=True,
    external_data=False, input_names=["x"], output_names=["probabilities"], dynamic_shapes=[{0: batch}],
)
