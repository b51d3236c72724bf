"""The Hugging Face one-liner of docs/export.md on small image classifiers with random weights.

    python bench/export/transformers_models.py DIR      then: npx tsx bench/export/inspect.ts DIR

Needs transformers 4.57.6, optimum 2.1.0 and optimum-onnx 0.1.0, onnxruntime 1.32.0 beside the packages of torch_models.py. Nothing is downloaded: configurations stand for checkpoints.
"""

import subprocess
import sys

import torch
from transformers import AutoModelForImageClassification, ConvNextConfig, ResNetConfig, SwinConfig, ViTConfig

folder = sys.argv[1]
torch.manual_seed(0)


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model(pixel_values).logits


small = {"num_labels": 10}
configurations = {
    "vit": ViTConfig(
        image_size=32, patch_size=8, hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=96, **small,
    ),
    "convnext": ConvNextConfig(image_size=32, hidden_sizes=[16, 24, 32, 48], depths=[1, 1, 2, 1], **small),
    "resnet": ResNetConfig(embedding_size=16, hidden_sizes=[16, 24, 32, 48], depths=[1, 1, 1, 1], **small),
    "swin": SwinConfig(image_size=32, patch_size=4, embed_dim=24, depths=[1, 1], num_heads=[2, 4], window_size=4, **small),
}
for name, config in configurations.items():
    model = AutoModelForImageClassification.from_config(config).eval()
    torch.onnx.export(
        Logits(model), (torch.rand(2, 3, 32, 32),), f"{folder}/transformers_{name}.onnx", dynamo=True,
        external_data=False, input_names=["pixel_values"], output_names=["logits"],
        dynamic_shapes=[{0: torch.export.Dim("N")}],
    )
    # optimum leaves everything open: batch, channels, height and width.
    model.save_pretrained(f"{folder}/{name}_checkpoint")
    command = ["optimum-cli", "export", "onnx", "--model", f"{folder}/{name}_checkpoint", "--task", "image-classification"]
    subprocess.run([*command, f"{folder}/optimum_{name}"], check=True)
