"""Makes reference losses, logits and gradients from PyTorch for exported ONNX classifiers.

    python torch_references.py --out DIR [--nets a,b,c] [--seed 0] [--threads 2]
    python torch_references.py --small --out DIR

Without --small: torchvision's nets with random parameters on a 2x3x224x224 batch and 1000 classes. With
--small: tiny nets of the same blocks on 2x3x32x32 and ten classes, small enough to be committed. Each net
gets DIR/<net>/model.onnx and DIR/<net>/reference.npz; DIR/versions.json tells how they were made.

Keys of reference.npz, all float32 unless said otherwise, all computed in float64 and rounded at the end:

    x                  input batch
    labels             int64
    logits             [batch, classes]
    loss               [1], mean cross entropy over the batch
    grad_input         d loss / d x
    grad:<name>        d loss / d initializer, <name> as in model.onnx; for an initializer that several
                       parameters share this is the sum, and for one stored transposed it is transposed
    grad_input_f32     d loss / d x of PyTorch's own float32 run (full nets only)
"""

import argparse
import copy
import json
import platform
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.fx.experimental.optimization import fuse
from torch.overrides import TorchFunctionMode
from torchvision.models import ConvNeXt, DenseNet, EfficientNet, MobileNetV3, ShuffleNetV2
from torchvision.models import SwinTransformer, VisionTransformer
from torchvision.models import efficientnet, mobilenetv2, mobilenetv3, resnet
from torchvision.models.convnext import CNBlock, CNBlockConfig
from torchvision.models.googlenet import BasicConv2d, Inception
from torchvision.models.squeezenet import Fire
from torchvision.models.swin_transformer import ShiftedWindowAttention
from torchvision.ops.misc import Conv2dNormActivation

from torch_step import Gtsrb6, export_onnx

# --- nets -----------------------------------------------------------------------------------------------

FULL = [
    "resnet18",
    "resnet50",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "vgg11_bn",
    "densenet121",
    "squeezenet1_1",
    "shufflenet_v2_x1_0",
    "googlenet",
    "convnext_tiny",
    "vit_b_16",
    "swin_t",
]


def full_net(name):
    # Without init_weights googlenet is spared its slow truncated normals.
    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    return torchvision.models.get_model(name, weights=None, **options)


# The tiny nets: torchvision's own classes where they can be configured small enough, and its blocks with a
# short stem and head elsewhere, so that the exported graphs hold the operator patterns of the real nets.

CLASSES = 10


def stem(channels, activation=nn.ReLU):
    return Conv2dNormActivation(3, channels, 3, stride=2, activation_layer=activation)


def head(channels):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]


def tiny_resnet():
    def downsample(inputs, outputs):
        return nn.Sequential(resnet.conv1x1(inputs, outputs, 2), nn.BatchNorm2d(outputs))

    return nn.Sequential(
        nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
        resnet.BasicBlock(8, 8),
        resnet.BasicBlock(8, 16, 2, downsample(8, 16)),
        resnet.Bottleneck(16, 5, 2, downsample(16, 20)),
        *head(20),
    )


def tiny_mobilenet_v2():
    block = mobilenetv2.InvertedResidual
    return nn.Sequential(
        stem(8, nn.ReLU6),
        block(8, 8, stride=1, expand_ratio=1),
        block(8, 12, stride=2, expand_ratio=4),
        block(12, 12, stride=1, expand_ratio=4),
        Conv2dNormActivation(12, 32, 1, activation_layer=nn.ReLU6),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32, CLASSES),
    )


def tiny_mobilenet_v3():
    # in, kernel, expanded, out, squeeze-excite, activation, stride, dilation
    block = partial(mobilenetv3.InvertedResidualConfig, width_mult=1.0)
    setting = [
        block(8, 3, 16, 8, True, "RE", 2, 1),
        block(8, 5, 24, 16, True, "HS", 2, 1),
        block(16, 5, 32, 16, False, "HS", 1, 2),
    ]
    return MobileNetV3(setting, last_channel=32, num_classes=CLASSES)


def tiny_efficientnet():
    # expansion, kernel, stride, in, out, layers
    block = partial(efficientnet.MBConvConfig, width_mult=1.0, depth_mult=1.0)
    setting = [block(1, 3, 1, 8, 8, 1), block(4, 5, 2, 8, 12, 2)]
    return EfficientNet(setting, dropout=0.2, num_classes=CLASSES, last_channel=40)


def tiny_densenet():
    return DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=8, bn_size=2, num_classes=CLASSES)


class TinySqueezeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2),
            nn.ReLU(inplace=True),
            # 15 -> 8 -> 4: the last window of either pool reaches beyond the edge.
            nn.MaxPool2d(2, stride=2, ceil_mode=True),
            Fire(8, 4, 8, 8),
            Fire(16, 4, 8, 8),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(16, 6, 12, 12),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.5), nn.Conv2d(24, CLASSES, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, x):
        return torch.flatten(self.classifier(self.features(x)), 1)


def tiny_shufflenet():
    return ShuffleNetV2([2, 1, 1], [8, 16, 24, 32, 40], num_classes=CLASSES)


class FactorisedInception(nn.Module):
    """The later kind of inception block: asymmetric convolutions and an average-pool branch."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.one = BasicConv2d(inputs, outputs, kernel_size=1)
        self.asymmetric = nn.Sequential(
            BasicConv2d(inputs, outputs, kernel_size=1),
            BasicConv2d(outputs, outputs, kernel_size=(1, 5), padding=(0, 2)),
            BasicConv2d(outputs, outputs, kernel_size=(5, 1), padding=(2, 0)),
        )
        self.pooled = BasicConv2d(inputs, outputs, kernel_size=1)

    def forward(self, x):
        pooled = self.pooled(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        return torch.cat([self.one(x), self.asymmetric(x), pooled], 1)


def tiny_inception():
    return nn.Sequential(
        BasicConv2d(3, 8, kernel_size=3, stride=2, padding=1),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        Inception(8, 6, 6, 8, 4, 6, 4),
        nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
        FactorisedInception(24, 8),
        *head(24),
    )


def tiny_convnext():
    return ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], layer_scale=0.5, num_classes=CLASSES)


def tiny_vit():
    return VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=CLASSES
    )


def tiny_swin():
    return SwinTransformer(
        patch_size=[4, 4], embed_dim=8, depths=[2, 1], num_heads=[2, 2], window_size=[4, 4], num_classes=CLASSES
    )


def tiny_gtsrb6():
    return Gtsrb6(width=4, hidden=32, classes=CLASSES)


def tiny_bn_training():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *head(16),
    )


SMALL = {
    "tiny_resnet": tiny_resnet,
    "tiny_mobilenet_v2": tiny_mobilenet_v2,
    "tiny_mobilenet_v3": tiny_mobilenet_v3,
    "tiny_efficientnet": tiny_efficientnet,
    "tiny_densenet": tiny_densenet,
    "tiny_squeezenet": TinySqueezeNet,
    "tiny_shufflenet": tiny_shufflenet,
    "tiny_inception": tiny_inception,
    "tiny_convnext": tiny_convnext,
    "tiny_vit": tiny_vit,
    "tiny_swin": tiny_swin,
    "tiny_gtsrb6": tiny_gtsrb6,
    "tiny_bn_training": tiny_bn_training,
}

# Exported a second time by the newer exporter, whose graphs hold other operators, with these opsets.
DYNAMO_TOO = {"tiny_resnet": 18, "tiny_mobilenet_v3": 18, "tiny_convnext": 20, "tiny_vit": 20, "tiny_swin": 18}
SMALL_LIMIT = 250_000


# --- parameters -----------------------------------------------------------------------------------------


def randomise(model, size):
    """Makes every parameter and statistic matter, and no two equal, since the exporter merges equal ones."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for module in model.modules():
        # Torchvision's heads start at almost or exactly zero, and so do the branches of its transformers: the
        # gradients would be tiny, and wrong ones could hide behind the residual connection.
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and not norms):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, CNBlock):
            nn.init.uniform_(module.layer_scale, 0.3, 0.7)
        if isinstance(module, ShiftedWindowAttention):
            nn.init.normal_(module.relative_position_bias_table, std=0.5)
        if isinstance(module, VisionTransformer):
            nn.init.normal_(module.class_token, std=0.5)
    with torch.no_grad():
        for module in model.modules():
            norm = isinstance(module, (nn.LayerNorm, nn.BatchNorm2d))
            for name, parameter in module.named_parameters(recurse=False):
                if norm and name == "weight":
                    parameter.uniform_(0.7, 1.3)
                elif name.endswith("bias"):
                    parameter.add_(torch.randn_like(parameter) * 0.1)
        hooks = [m.register_forward_pre_hook(set_statistics) for m in norms]
        # Noise with large-scale structure. Deep layers hardly tell pure noise from other pure noise, and
        # statistics of that would amplify rounding errors.
        coarse = F.interpolate(torch.randn(4, 3, 8, 8), (size, size), mode="bilinear")
        model.eval()(torch.randn(4, 3, size, size) + 2 * coarse)
        for hook in hooks:
            hook.remove()


def set_statistics(norm, inputs):
    """Gives a BatchNorm the statistics of what reaches it, disturbed.

    Being called layer by layer it sees the disturbances of the layers before; all at once they would add up
    until the softmax saturates.
    """
    mean, var = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3))
    # Channels that are nearly constant would otherwise be amplified by up to 1 / sqrt(eps).
    var = var.clamp(min=0.05 * var.mean().item())
    norm.running_mean.copy_(mean + torch.randn_like(mean) * 0.1 * var.sqrt())
    norm.running_var.copy_(var * torch.empty_like(var).uniform_(0.5, 1.5))


class Settle(TorchFunctionMode):
    """Under this mode a forward pass moves values away from the kinks of activations and the ties of max pools.

    Among millions of values a few always are within rounding of one, and take a different side in a different
    arithmetic. One such flip changes the gradient by up to a percent, which would hide real errors. For an
    activation the kink is moved, channel by channel through the bias before it, to the middle of a wide gap
    between the values. A channel with a tie gets slightly different weights, which asks for another pass.
    """

    KINKS = {"relu": [0], "relu_": [0], "hardtanh": [0, 6], "hardswish": [-3, 3], "hardsigmoid": [-3, 3]}
    # Wanted distances in standard deviations; float32 errors reach 1e-4 in the deepest nets.
    TIE, ROOM = 2e-4, 1e-3

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = function.__name__
        if name in ("conv2d", "linear", "batch_norm"):
            bias = kwargs["bias"] if "bias" in kwargs else args[2] if len(args) > 2 else None
            if bias is not None:
                # The one nearest to the next activation; a residual sum is shifted through its last term.
                self.bias = bias
        elif name in self.KINKS:
            shift = self.shift(args[0], self.KINKS[name])
            self.bias.add_(shift)
            args[0].add_(shift.reshape(1, -1, *[1] * (args[0].ndim - 2)))
        elif name == "max_pool2d":
            for channel in self.tied(args[0], args[1], kwargs["stride"], kwargs["padding"]):
                weight, row = args[0].rows[channel]
                weight[row] *= 1 + 0.01 * torch.randn_like(weight[row])
                self.ties += 1
        result = function(*args, **kwargs)
        # Which weights made which channel.
        if name == "conv2d":
            result.rows = [(args[1], row) for row in range(len(args[1]))]
        elif name == "cat":
            result.rows = sum((getattr(part, "rows", []) for part in args[0]), [])
        elif name in ("batch_norm", "max_pool2d", *self.KINKS):
            result.rows = getattr(args[0], "rows", [])
        return result

    def run(self, model, x):
        for _ in range(100):
            self.ties = 0
            with torch.no_grad(), self:
                model(x)
            if not self.ties:
                return
        raise ValueError("max pools keep having ties")

    def shift(self, values, kinks):
        rows = values.transpose(0, 1).flatten(1)
        rows = torch.cat([rows - kink for kink in kinks], 1)
        room = rows.abs().amin(1)
        reach = 0.1 * values.std().item()
        rows = F.pad(F.pad(rows.clamp(-reach, reach), (1, 0), value=-reach), (0, 1), value=reach).sort(1).values
        widest = rows.diff(dim=1).argmax(1, keepdim=True)
        low, high = rows.gather(1, widest).squeeze(1), rows.gather(1, widest + 1).squeeze(1)
        # What has room enough stays, so that another pass does not stir up the layers after.
        stays = room >= torch.clamp((high - low) / 4, max=self.ROOM * values.std().item())
        return torch.where(stays, 0, -(low + high) / 2)

    def tied(self, values, kernel, stride, padding):
        # Padded as if in ceil mode, which at worst adds a few windows. Equal values are copies of one value, made
        # by an overlapping pool before, or zeros of a ReLU, and in both cases it does not matter which wins.
        windows = F.pad(values, (padding, kernel - 1) * 2, value=-torch.inf)
        windows = windows.unfold(2, kernel, stride).unfold(3, kernel, stride).flatten(4)
        top = windows.amax(4, keepdim=True)
        second = windows.masked_fill(windows == top, -torch.inf).amax(4, keepdim=True)
        # Less for the many windows of early layers, where errors are smaller and no weights would do for all.
        count = top[:, 0].numel()
        near = (top > 0) & (top - second < min(self.TIE, 0.5 / count) * values.std())
        return near.sum((0, 2, 3, 4)).nonzero().flatten().tolist()


# --- references -----------------------------------------------------------------------------------------


def gradients(model, x, labels, dtype):
    """Logits, loss, input gradient, and each parameter's (value, gradient) by name, on a copy."""
    model = copy.deepcopy(model).to(dtype)
    x = x.to(dtype, copy=True).requires_grad_(True)
    names, parameters = zip(*model.named_parameters())
    logits = model(x)
    loss = F.cross_entropy(logits, labels)
    grad_x, *grads = torch.autograd.grad(loss, [x, *parameters])
    values = [p.detach() for p in parameters]
    return logits.detach(), loss.detach(), grad_x, dict(zip(names, zip(values, grads)))


def by_initializer(graph, parameters):
    """Gradients by initializer name, and the names of parameters that left no initializer behind."""
    floats = [i for i in graph.initializer if i.data_type == onnx.TensorProto.FLOAT]
    initializers = {i.name: torch.from_numpy(onnx.numpy_helper.to_array(i).copy()) for i in floats}
    # The exporter stores equal tensors once and refers to them by Identity.
    identities = [n for n in graph.node if n.op_type == "Identity"]
    shared = {n.output[0]: n.input[0] for n in identities if n.input[0] in initializers}
    result, lost = {}, []

    def same(key, value):
        stored = initializers[key]
        return stored.shape == value.shape and torch.allclose(stored, value.float(), rtol=1e-4, atol=1e-6)

    def add(key, grad):
        result[key] = result[key] + grad if key in result else grad

    for name, (value, grad) in parameters.items():
        key = shared.get(name, name)
        if key in initializers and same(key, value):
            add(key, grad)
            continue
        # An exporter that folds constants renames what it has transposed or merged.
        others = [k for k in initializers if k not in parameters]
        if key := next((k for k in others if same(k, value)), None):
            add(key, grad)
        elif key := next((k for k in others if same(k, value.T)), None) if value.ndim == 2 else None:
            add(key, grad.T)
        else:
            lost.append(name)
    return result, lost


def shorten_names(graph):
    """Gives intermediate values short names, which in tiny nets take more room than the weights."""
    kept = {v.name for v in (*graph.input, *graph.output, *graph.initializer)} | {""}
    names = {}
    for node in graph.node:
        node.name = ""
        for field in (node.input, node.output):
            for i, name in enumerate(field):
                if name not in kept:
                    field[i] = names.setdefault(name, f"t{len(names)}")
    del graph.value_info[:]


def export_dynamo(model, x, path, opset):
    program = torch.onnx.export(
        model,
        (x,),
        dynamo=True,
        opset_version=opset,
        verbose=False,
        input_names=["input"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    proto = program.model_proto
    # Stack traces and the like, larger than the tiny weights.
    for thing in (proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.initializer):
        thing.ClearField("metadata_props")
    onnx.save(proto, path)


def run_onnx(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return session.run(["logits"], {name: x.numpy()})[0]


def relative(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm())


def make(name, model, x, labels, folder, small, dynamo_opset=None):
    """Writes model.onnx and reference.npz into folder, checks them, and returns what is worth recording."""
    folder.mkdir(parents=True, exist_ok=True)
    path = str(folder / "model.onnx")
    if dynamo_opset:
        export_dynamo(copy.deepcopy(model), x, path, dynamo_opset)
        # This exporter merges normalisation into convolutions, so the reference has to as well.
        if any(isinstance(m, nn.BatchNorm2d) for m in model.modules()):
            model = fuse(model).requires_grad_(True)
    else:
        export_onnx(copy.deepcopy(model), x, path, training=model.training)
    proto = onnx.load(path)
    graph = proto.graph
    if small:
        shorten_names(graph)
        onnx.save(proto, path)
    onnx.checker.check_model(path)

    logits, loss, grad_x, parameters = gradients(model, x, labels, torch.float64)
    logits32, _, grad_x32, _ = gradients(model, x, labels, torch.float32)
    if not grad_x.norm() > 1e-6:
        raise ValueError(f"{name}: degenerate input gradient, norm {grad_x.norm():.1e}")
    grads, lost = by_initializer(graph, parameters)
    data = {"x": x, "labels": labels, "logits": logits, "loss": loss.reshape(1), "grad_input": grad_x}
    if not small:
        data["grad_input_f32"] = grad_x32
    data |= {f"grad:{key}": grad for key, grad in grads.items()}
    arrays = {k: v.numpy() if v.dtype == torch.int64 else v.float().numpy() for k, v in data.items()}
    (np.savez_compressed if small else np.savez)(folder / "reference.npz", **arrays)

    # The exported model must agree with the reference, on this batch and on one of another size.
    onnx_error = relative(torch.from_numpy(run_onnx(path, x)), logits)
    if onnx_error > 1e-4:
        raise ValueError(f"{name}: exported logits are off by {onnx_error:.1e}")
    if not model.training:
        three = torch.cat([x, x[:1]])
        again = torch.from_numpy(run_onnx(path, three))
        if relative(again, torch.cat([logits, logits[:1]])) > 1e-4:
            raise ValueError(f"{name}: exported for one batch size only")

    size = sum(f.stat().st_size for f in folder.iterdir())
    if small and size > SMALL_LIMIT:
        raise ValueError(f"{name}: {size} bytes is too large to commit")
    if relative(grad_x32, grad_x) > 1e-5:
        # Some value took another side of a kink after all; another seed avoids it.
        raise ValueError(f"{name}: float32 gradient is off by {relative(grad_x32, grad_x):.1e}")
    return {
        "exporter": "dynamo" if dynamo_opset else "torchscript",
        "opset": next(o.version for o in proto.opset_import if not o.domain),
        "bytes": size,
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": loss.item(),
        "logits_norm": logits.norm().item(),
        "grad_input_norm": grad_x.norm().item(),
        "smallest_grad_norm": min(g.norm().item() for g in grads.values()),
        "logits_error_onnxruntime": onnx_error,
        "logits_error_f32": relative(logits32, logits),
        "grad_input_error_f32": relative(grad_x32, grad_x),
        "parameters_without_initializer": lost,
        "operators": dict(sorted(Counter(n.op_type for n in graph.node).items())),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--small", action="store_true", help="tiny nets, to be committed")
    parser.add_argument("--nets", help="comma-separated subset")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    # The fused inference path of attention has no gradient and cannot be exported.
    torch.backends.mha.set_fastpath_enabled(False)

    known = list(SMALL) if args.small else FULL
    nets = args.nets.split(",") if args.nets else known
    if unknown := set(nets) - set(known):
        parser.error(f"unknown nets: {', '.join(sorted(unknown))}")
    args.out.mkdir(parents=True, exist_ok=True)
    record_path = args.out / "versions.json"
    record = json.loads(record_path.read_text()) if record_path.exists() else {}
    record["versions"] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
    }
    record["seed"] = args.seed
    results = record.setdefault("nets", {})

    for name in nets:
        # Every net has its own seed, so that a subset gives the same values as the whole list.
        torch.manual_seed(args.seed * 1000 + known.index(name))
        model = SMALL[name]() if args.small else full_net(name)
        size, classes = (32, CLASSES) if args.small else (224, 1000)
        x = torch.rand(2, 3, size, size) * 255 if isinstance(model, Gtsrb6) else torch.randn(2, 3, size, size)
        labels = torch.randint(classes, (2,))
        randomise(model, size)
        model.train(name == "tiny_bn_training")
        Settle().run(model, x)
        exports = {name: None}
        if args.small and name in DYNAMO_TOO:
            exports[f"{name}_dynamo"] = DYNAMO_TOO[name]
        for key, opset in exports.items():
            results[key] = make(key, model, x, labels, args.out / key, args.small, opset)
            shown = {k: v for k, v in results[key].items() if k != "operators"}
            print(f"{key}: {json.dumps(shown)}", flush=True)
        record_path.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
