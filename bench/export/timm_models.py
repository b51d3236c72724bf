"""The timm one-liner of docs/export.md on networks of several families, with random weights.

    python bench/export/timm_models.py DIR      then: npx tsx bench/export/inspect.ts DIR

Needs timm 1.0.31 beside the packages of torch_models.py.
"""

import sys

import timm
import torch

folder = sys.argv[1]
torch.manual_seed(0)
for name, side in [
    ("resnet18", 64),
    ("mobilenetv3_small_050", 64),
    ("efficientnet_b0", 64),
    ("convnext_atto", 64),
    ("regnety_002", 64),
    ("vit_tiny_patch16_224", 224),
    ("swin_tiny_patch4_window7_224", 224),
]:
    model = timm.create_model(name, num_classes=10, exportable=True).eval()
    torch.onnx.export(
        model, (torch.rand(2, 3, side, side),), f"{folder}/timm_{name}.onnx", dynamo=True, external_data=False,
        input_names=["x"], output_names=["logits"], dynamic_shapes=[{0: torch.export.Dim("N")}],
    )
    config = model.default_cfg
    print(f"{name}: --preprocess \"range=1;mean={','.join(map(str, config['mean']))};std={','.join(map(str, config['std']))}\"")
